-- +goose Up

-- The finished mail of an outbox row stands beside it: the row itself changes
-- three times on its way, and each time would be written with its mail.
CREATE TABLE outbox_mail (
    outbox_id INTEGER PRIMARY KEY REFERENCES outbox (id),
    sender    TEXT NOT NULL,                   -- the envelope's
    header    BLOB NOT NULL,
    body      BLOB,                            -- small ones
    body_id   INTEGER                          -- a raw row, for large ones
);
INSERT INTO outbox_mail (outbox_id, sender, header, body, body_id)
    SELECT id, sender, header, body, body_id FROM outbox WHERE header IS NOT NULL;
ALTER TABLE outbox DROP COLUMN sender;
ALTER TABLE outbox DROP COLUMN header;
ALTER TABLE outbox DROP COLUMN body;
ALTER TABLE outbox DROP COLUMN body_id;

-- Only one kind of mail is ever looked for before it leaves.
DROP INDEX outbox_recipient;
CREATE INDEX outbox_later ON outbox (recipient) WHERE state = 'queued' AND kind = 'also-received';

-- Nothing asks for these.
DROP INDEX party_address;
DROP INDEX ticket_desk;
