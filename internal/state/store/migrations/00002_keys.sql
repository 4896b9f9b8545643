-- +goose Up
CREATE TABLE keys (
    kind        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    certificate BLOB    NOT NULL,
    private_key BLOB    NOT NULL,
    not_after   INTEGER NOT NULL, -- microseconds since 1970
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
