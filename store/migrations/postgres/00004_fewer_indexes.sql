-- +goose Up

-- The same mail has the same copy hash, too, if it has one.
DROP INDEX delivery_content;
CREATE INDEX delivery_content ON delivery (content_hash, id) WHERE content_hash IS NOT NULL AND copy_hash IS NULL;

-- A row that is leased as it is added is in one index on its way, and was in
-- two. Leased are few: those whose lease has run out are found among them.
DROP INDEX outbox_lane;
DROP INDEX outbox_leased;
CREATE INDEX outbox_lane ON outbox (lane, id) WHERE state = 'queued';
CREATE INDEX outbox_sending ON outbox (lane, id) WHERE state = 'sending';
