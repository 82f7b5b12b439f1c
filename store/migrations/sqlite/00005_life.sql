-- +goose Up

-- The form: who is to fill it, when its link was last mailed, and whether an
-- agent had it sent.
ALTER TABLE ticket ADD COLUMN form_for TEXT NOT NULL DEFAULT '';
ALTER TABLE ticket ADD COLUMN form_at INTEGER;
ALTER TABLE ticket ADD COLUMN invited INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ticket ADD COLUMN escalated INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ticket ADD COLUMN spent INTEGER NOT NULL DEFAULT 0;   -- microseconds
-- The clock: a delay has put it off once; the step that waits until somebody
-- can be reached.
ALTER TABLE ticket ADD COLUMN postponed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ticket ADD COLUMN stuck TEXT NOT NULL DEFAULT '';
CREATE INDEX ticket_form ON ticket (form_for, desk) WHERE form_for <> '';

-- An address that only a form has named is not written to yet.
ALTER TABLE party ADD COLUMN untold INTEGER NOT NULL DEFAULT 0;
-- The few who cannot be reached are looked for after every mail that left.
CREATE INDEX party_lost ON party (ticket_id, ordinal) WHERE reachable = 0;
