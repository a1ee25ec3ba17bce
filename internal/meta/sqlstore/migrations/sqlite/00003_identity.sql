-- +goose Up
-- Names of principals and managed policies are unique without regard to case:
-- name_key is the name in lower case. What decisions depend on has no times or
-- uses in its rows, so that recording a use is not a change of it.

CREATE TABLE access_version (
	one     INTEGER PRIMARY KEY CHECK (one = 1),
	version INTEGER NOT NULL
);
INSERT INTO access_version VALUES (1, 1);

CREATE TABLE account (
	id         TEXT PRIMARY KEY,
	name       TEXT NOT NULL,
	alias      TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	revoked_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX account_alias ON account (alias) WHERE alias <> '';

CREATE TABLE policy (
	id              INTEGER PRIMARY KEY AUTOINCREMENT,
	account         TEXT NOT NULL REFERENCES account (id),
	name            TEXT NOT NULL,
	name_key        TEXT NOT NULL,
	path            TEXT NOT NULL,
	unique_id       TEXT NOT NULL UNIQUE,
	description     TEXT NOT NULL,
	default_version INTEGER NOT NULL,
	last_version    INTEGER NOT NULL,
	created_at      INTEGER NOT NULL,
	updated_at      INTEGER NOT NULL,
	UNIQUE (account, name_key),
	UNIQUE (account, id)
);

CREATE TABLE policy_version (
	policy_id  INTEGER NOT NULL REFERENCES policy (id),
	number     INTEGER NOT NULL,
	document   TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	PRIMARY KEY (policy_id, number)
);

CREATE TABLE principal (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	account     TEXT NOT NULL REFERENCES account (id),
	kind        INTEGER NOT NULL,
	name        TEXT NOT NULL,
	name_key    TEXT NOT NULL,
	path        TEXT NOT NULL,
	unique_id   TEXT NOT NULL UNIQUE,
	boundary    TEXT NOT NULL,
	boundary_id INTEGER,
	trust       TEXT NOT NULL,
	description TEXT NOT NULL,
	max_session INTEGER NOT NULL,
	created_at  INTEGER NOT NULL,
	UNIQUE (account, kind, name_key),
	UNIQUE (account, id),
	FOREIGN KEY (account, boundary_id) REFERENCES policy (account, id)
);
CREATE INDEX principal_boundary ON principal (account, boundary, id) WHERE boundary <> '';
CREATE INDEX principal_boundary_policy ON principal (boundary_id, account) WHERE boundary_id IS NOT NULL;

CREATE TABLE principal_use (
	principal_id INTEGER PRIMARY KEY REFERENCES principal (id),
	used_at      INTEGER NOT NULL,
	region       TEXT NOT NULL
);

CREATE TABLE group_member (
	group_id INTEGER NOT NULL REFERENCES principal (id),
	user_id  INTEGER NOT NULL REFERENCES principal (id),
	PRIMARY KEY (group_id, user_id)
) WITHOUT ROWID;
CREATE INDEX group_member_user ON group_member (user_id, group_id);

CREATE TABLE access_key (
	id         TEXT PRIMARY KEY,
	account    TEXT NOT NULL REFERENCES account (id),
	user_id    INTEGER,
	sealed     BLOB NOT NULL,
	active     INTEGER NOT NULL,
	created_at INTEGER NOT NULL,
	FOREIGN KEY (account, user_id) REFERENCES principal (account, id)
) WITHOUT ROWID;
CREATE INDEX access_key_owner ON access_key (account, user_id, id);
CREATE INDEX access_key_user ON access_key (user_id, account) WHERE user_id IS NOT NULL;

CREATE TABLE access_key_use (
	key_id  TEXT PRIMARY KEY REFERENCES access_key (id),
	used_at INTEGER NOT NULL,
	region  TEXT NOT NULL,
	service TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE attachment (
	principal_id INTEGER NOT NULL,
	arn          TEXT NOT NULL,
	account      TEXT NOT NULL,
	policy_id    INTEGER,
	PRIMARY KEY (principal_id, arn),
	FOREIGN KEY (account, principal_id) REFERENCES principal (account, id),
	FOREIGN KEY (account, policy_id) REFERENCES policy (account, id)
) WITHOUT ROWID;
CREATE INDEX attachment_arn ON attachment (account, arn, principal_id);
CREATE INDEX attachment_policy ON attachment (policy_id, account) WHERE policy_id IS NOT NULL;

CREATE TABLE inline_policy (
	principal_id INTEGER NOT NULL REFERENCES principal (id),
	name         TEXT NOT NULL,
	document     TEXT NOT NULL,
	PRIMARY KEY (principal_id, name)
);

CREATE TABLE oidc_provider (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	account     TEXT NOT NULL REFERENCES account (id),
	host        TEXT NOT NULL,
	client_ids  TEXT NOT NULL,
	thumbprints TEXT NOT NULL,
	created_at  INTEGER NOT NULL,
	UNIQUE (account, host)
);

CREATE TABLE repository_policy (
	repository_id INTEGER PRIMARY KEY REFERENCES repository (id),
	document      TEXT NOT NULL
);

CREATE TABLE registry_policy (
	registry_id INTEGER PRIMARY KEY REFERENCES registry (id),
	document    TEXT NOT NULL
);

CREATE TABLE account_setting (
	registry_id INTEGER NOT NULL REFERENCES registry (id),
	name        TEXT NOT NULL,
	value       TEXT NOT NULL,
	PRIMARY KEY (registry_id, name)
) WITHOUT ROWID;

INSERT INTO sqlite_sequence (name, seq) VALUES ('policy', 99), ('principal', 99), ('oidc_provider', 99);
UPDATE schema SET version = 3, min_binary = 3;
