-- +goose Up
CREATE TABLE credentials (
    user_name TEXT    NOT NULL,
    id        TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    label     TEXT    NOT NULL,
    hash      TEXT    NOT NULL,
    created   INTEGER NOT NULL, -- microseconds since 1970
    last_used INTEGER NOT NULL, -- the same; 0: never
    PRIMARY KEY (user_name, id)
) STRICT, WITHOUT ROWID;
