CREATE TABLE entry (
    id bigserial PRIMARY KEY,
    text text NOT NULL,
    written timestamptz NOT NULL DEFAULT now()
);
INSERT INTO entry(text) VALUES ('Welcome to Gantry');
