-- +goose Up

-- One row a desk and mail: what a client handed us, and what became of it.
CREATE TABLE delivery (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    raw_id        INTEGER NOT NULL REFERENCES raw (id),
    desk          TEXT NOT NULL,
    listener      TEXT NOT NULL,
    client        TEXT NOT NULL,
    hello         TEXT NOT NULL,
    tls           TEXT NOT NULL,
    login         TEXT NOT NULL,
    mail_from     TEXT NOT NULL,
    recipients    TEXT NOT NULL,               -- one a line, as accepted
    received      INTEGER NOT NULL,
    priority      INTEGER NOT NULL,              -- 0: carries a token of ours
    about         INTEGER,                       -- the ticket of a reply token among the recipients
    state         TEXT NOT NULL DEFAULT 'new', -- new, done, held, set-aside
    attempts      INTEGER NOT NULL DEFAULT 1,    -- the first is counted from the start
    lease_owner   TEXT,
    lease_until   INTEGER,
    stop          TEXT NOT NULL DEFAULT '',    -- the stage that held it
    reason        TEXT NOT NULL DEFAULT '',
    why           TEXT NOT NULL DEFAULT '',    -- the decisions, a JSON array
    ticket_id     INTEGER,
    message_id    INTEGER,
    from_address  TEXT NOT NULL DEFAULT '',
    to_address    TEXT NOT NULL DEFAULT '',
    subject       TEXT NOT NULL DEFAULT '',
    mail_id       TEXT NOT NULL DEFAULT '',    -- its Message-ID
    content_hash  BLOB,
    copy_hash     BLOB                       -- desk, Message-ID, From and Date, whatever the body
);
CREATE INDEX delivery_new ON delivery (priority, id) WHERE state = 'new';
CREATE INDEX delivery_stopped ON delivery (state, id) WHERE state IN ('held', 'set-aside');
CREATE INDEX delivery_content ON delivery (content_hash, id) WHERE content_hash IS NOT NULL;
CREATE INDEX delivery_copy ON delivery (copy_hash, id) WHERE copy_hash IS NOT NULL;
CREATE INDEX delivery_mail ON delivery (mail_id) WHERE mail_id <> '';
CREATE INDEX delivery_raw ON delivery (raw_id);
CREATE INDEX delivery_message ON delivery (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX delivery_about ON delivery (about) WHERE state IN ('new', 'held') AND about IS NOT NULL;

CREATE TABLE ticket (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    version     INTEGER NOT NULL,
    number      TEXT,
    desk        TEXT NOT NULL,
    state       TEXT NOT NULL,
    closed      TEXT NOT NULL DEFAULT '',
    subject     TEXT NOT NULL,
    assignee    TEXT NOT NULL DEFAULT '',
    category    TEXT NOT NULL DEFAULT '',
    urgency     TEXT NOT NULL DEFAULT '',
    created     INTEGER NOT NULL,
    updated     INTEGER NOT NULL,
    closed_at   INTEGER,
    deadline    INTEGER,
    next        TEXT NOT NULL DEFAULT '',
    reminders   INTEGER NOT NULL DEFAULT 0,
    warned      INTEGER NOT NULL DEFAULT 0,
    waiting     INTEGER NOT NULL DEFAULT 0,
    resolution  INTEGER NOT NULL DEFAULT 0,
    merged_into INTEGER NOT NULL DEFAULT 0,
    opener      TEXT NOT NULL DEFAULT ''       -- Message-ID of the mail that began it
);
CREATE INDEX ticket_due ON ticket (deadline, id) WHERE deadline IS NOT NULL AND waiting = 0;
CREATE UNIQUE INDEX ticket_number ON ticket (lower(number));
CREATE INDEX ticket_desk ON ticket (desk, state);

CREATE TABLE ticket_link (
    ticket_id INTEGER NOT NULL REFERENCES ticket (id),
    other_id  INTEGER NOT NULL REFERENCES ticket (id),
    reason    TEXT NOT NULL,
    PRIMARY KEY (ticket_id, other_id)
);

CREATE TABLE message (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    ticket_id   INTEGER NOT NULL REFERENCES ticket (id),
    delivery_id INTEGER,
    raw_id      INTEGER,
    at          INTEGER NOT NULL,
    address     TEXT NOT NULL,                 -- of the writer, lower case
    name        TEXT NOT NULL,
    party       INTEGER,                         -- the ordinal it counts for
    role        TEXT NOT NULL,
    visibility  TEXT NOT NULL,                 -- public, note, held, waiting, record
    proof       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    mail_id     TEXT NOT NULL,
    people      TEXT NOT NULL,                 -- From, To and Cc, one address a line
    words       TEXT NOT NULL                  -- the new text alone
);
CREATE INDEX message_ticket ON message (ticket_id, id);
CREATE INDEX message_waiting ON message (at) WHERE visibility = 'waiting';

CREATE TABLE part (
    message_id   INTEGER NOT NULL REFERENCES message (id),
    path         TEXT NOT NULL,
    name         TEXT NOT NULL,
    content_type TEXT NOT NULL,
    encoding     TEXT NOT NULL,
    content_id   TEXT NOT NULL,
    inline       INTEGER NOT NULL,
    pos          INTEGER NOT NULL,               -- of the encoded body in the raw mail
    length       INTEGER NOT NULL,
    size         INTEGER NOT NULL,               -- decoded
    PRIMARY KEY (message_id, path)
);

-- Every Message-ID that a ticket's mails bear or refer to, known or not.
CREATE TABLE anchor (
    hash       BLOB NOT NULL,
    ticket_id  INTEGER NOT NULL REFERENCES ticket (id),
    message_id INTEGER NOT NULL,                 -- the message that brought it
    own        INTEGER NOT NULL,                 -- 1: that message's own id; 0: one that it refers to
    PRIMARY KEY (hash, ticket_id)
);
CREATE INDEX anchor_message ON anchor (message_id);

CREATE TABLE person (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    name     TEXT NOT NULL,
    language TEXT NOT NULL DEFAULT '',
    zone     TEXT NOT NULL DEFAULT ''
);

CREATE TABLE address (
    address   TEXT PRIMARY KEY,                -- lower case
    person_id INTEGER NOT NULL REFERENCES person (id),
    verified  INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE party (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    ticket_id INTEGER NOT NULL REFERENCES ticket (id),
    ordinal   INTEGER NOT NULL,
    role      TEXT NOT NULL,
    address   TEXT NOT NULL,                   -- where its mails go, lower case
    name      TEXT NOT NULL,
    person_id INTEGER NOT NULL,
    added_by  TEXT NOT NULL,
    since     INTEGER NOT NULL,                  -- the first message row that it may see
    reachable INTEGER NOT NULL DEFAULT 1,
    proven    INTEGER NOT NULL DEFAULT 0,        -- has shown that the mailbox is theirs
    active    INTEGER NOT NULL DEFAULT 1,
    link      TEXT NOT NULL UNIQUE,            -- of its ticket page
    UNIQUE (ticket_id, ordinal),
    UNIQUE (ticket_id, address)
);
CREATE INDEX party_address ON party (address);

CREATE TABLE event (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    ticket_id  INTEGER NOT NULL REFERENCES ticket (id),
    at         INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    role       TEXT NOT NULL,
    type       TEXT NOT NULL,
    from_state TEXT NOT NULL,
    to_state   TEXT NOT NULL,
    mail_id    TEXT NOT NULL,
    reason     TEXT NOT NULL
);
CREATE INDEX event_ticket ON event (ticket_id, id);

-- One row a recipient; kept after sending.
CREATE TABLE outbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    ticket_id   INTEGER,
    desk        TEXT NOT NULL,
    party       INTEGER,                         -- the ordinal whose reply address it carries
    kind        TEXT NOT NULL,
    recipient   TEXT NOT NULL,
    lane        TEXT NOT NULL,                 -- rows of one lane leave in order
    state       TEXT NOT NULL,                 -- queued, sending, sent, failed, held, cancelled
    priority    INTEGER NOT NULL,
    due         INTEGER NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 0,
    created     INTEGER NOT NULL,
    sent        INTEGER,
    lease_owner TEXT,
    lease_until INTEGER,
    fence       INTEGER NOT NULL DEFAULT 0,
    reply       TEXT NOT NULL DEFAULT '',
    args        TEXT NOT NULL,
    cause       INTEGER,                         -- the delivery that led to it
    mail_id     TEXT NOT NULL DEFAULT '',
    sender      TEXT NOT NULL DEFAULT '',      -- the envelope's
    header      BLOB,
    body        BLOB,                        -- small ones
    body_id     INTEGER                          -- a raw row, for large ones
);
CREATE INDEX outbox_due ON outbox (priority, due, id) WHERE state = 'queued';
CREATE INDEX outbox_lane ON outbox (lane, id) WHERE state IN ('queued', 'sending');
CREATE INDEX outbox_leased ON outbox (lease_until) WHERE state = 'sending';
CREATE INDEX outbox_ticket ON outbox (ticket_id, id);
CREATE INDEX outbox_stopped ON outbox (state, id) WHERE state IN ('held', 'failed');
CREATE INDEX outbox_recipient ON outbox (recipient, kind) WHERE state = 'queued';

-- What may happen only so often: first answers to strangers, new tickets.
CREATE TABLE budget (
    name  TEXT PRIMARY KEY,
    began INTEGER NOT NULL,
    count INTEGER NOT NULL,
    ref   INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE counter (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
);

CREATE TABLE organisation (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    name     TEXT NOT NULL UNIQUE,
    language TEXT NOT NULL,
    services TEXT NOT NULL,                    -- one a line
    manager  TEXT NOT NULL
);
CREATE TABLE organisation_domain (
    domain          TEXT PRIMARY KEY,
    organisation_id INTEGER NOT NULL REFERENCES organisation (id)
);
CREATE TABLE organisation_integrator (
    who             TEXT NOT NULL,             -- an address, or a domain
    organisation_id INTEGER NOT NULL REFERENCES organisation (id),
    PRIMARY KEY (who, organisation_id)
);
CREATE TABLE contact (
    address         TEXT NOT NULL,
    organisation_id INTEGER NOT NULL REFERENCES organisation (id),
    name            TEXT NOT NULL,
    phone           TEXT NOT NULL,
    role            TEXT NOT NULL,
    language        TEXT NOT NULL,
    PRIMARY KEY (address, organisation_id)
);
