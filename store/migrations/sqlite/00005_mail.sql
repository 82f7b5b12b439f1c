-- +goose Up

-- A mailbox that is fetched: what is known of it besides its mails.
CREATE TABLE mailbox (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT NOT NULL UNIQUE,         -- user@host/FOLDER
    uid_validity INTEGER NOT NULL,             -- 0: never seen
    first_uid    INTEGER NOT NULL,             -- below it is what was there when this UIDVALIDITY was first seen
    scanned      INTEGER NOT NULL,             -- whether all of that is in the journal
    began        INTEGER NOT NULL,             -- when this UIDVALIDITY was first seen
    looked       INTEGER,                      -- when all its mails were last known to be taken
    trouble      TEXT NOT NULL,                -- why it cannot be read; '': it can
    desks        TEXT NOT NULL                 -- that its mails went to, a line each
);

-- Its journal: a row for each mail that needs no ticket any more, or another
-- try. A row of an older UIDVALIDITY recognises the mail by its key.
CREATE TABLE mailbox_mail (
    mailbox_id   INTEGER NOT NULL REFERENCES mailbox (id),
    uid_validity INTEGER NOT NULL,
    uid          INTEGER NOT NULL,
    state        TEXT NOT NULL,                -- there, wanted, unsure, stuck, taken, cut or done
    hash         BLOB,                         -- of what tells mails apart across UIDVALIDITY
    size         INTEGER NOT NULL,
    tries        INTEGER NOT NULL,
    due          INTEGER,                      -- of the next try
    delivery_id  INTEGER,
    PRIMARY KEY (mailbox_id, uid_validity, uid)
) WITHOUT ROWID;
CREATE INDEX mailbox_mail_hash ON mailbox_mail (mailbox_id, hash);
CREATE INDEX mailbox_mail_todo ON mailbox_mail (mailbox_id, uid_validity, uid)
    WHERE state IN ('wanted', 'unsure', 'stuck', 'taken');

-- The old mails that were imported, by desk and bytes, so that none is twice.
CREATE TABLE imported (
    hash BLOB PRIMARY KEY
) WITHOUT ROWID;
