-- The tables that the store itself needs. Times are UTC microseconds.

-- +goose Up
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- A row outlives its lease, so that fence never goes back.
CREATE TABLE lease (
    name  TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    until INTEGER NOT NULL, -- 0: dropped
    fence INTEGER NOT NULL
) STRICT;

-- data holds a mail of up to 256 KiB; a larger one is in raw_chunk, in pieces
-- of exactly 256 KiB but for the last, and data is NULL.
CREATE TABLE raw (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256   TEXT NOT NULL,    -- hexadecimal; '' while incomplete
    size     INTEGER NOT NULL, -- bytes
    complete INTEGER NOT NULL,
    created  INTEGER NOT NULL, -- while incomplete: when the last piece came
    data     BLOB
) STRICT;
CREATE INDEX raw_incomplete ON raw (created) WHERE complete = 0;

CREATE TABLE raw_chunk (
    raw_id INTEGER NOT NULL REFERENCES raw (id),
    seq    INTEGER NOT NULL, -- from 0
    data   BLOB NOT NULL,
    PRIMARY KEY (raw_id, seq)
) STRICT;

-- +goose Down
DROP TABLE raw_chunk;
DROP TABLE raw;
DROP TABLE lease;
DROP TABLE meta;
