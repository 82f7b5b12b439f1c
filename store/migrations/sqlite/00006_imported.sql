-- +goose Up

-- The old mails that were imported, by desk and bytes, so that none is twice.
CREATE TABLE imported (
    hash BLOB PRIMARY KEY
) WITHOUT ROWID;
