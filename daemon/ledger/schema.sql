-- log.db: the signing log. No index but primary keys: indexes are what slows inserts, and search has a
-- database of its own. One row per entry: each further table costs a page per commit.

-- schema: version of these tables. probe: written to find out whether the disk takes writes again.
CREATE TABLE meta (
	key TEXT PRIMARY KEY,
	value
) WITHOUT ROWID;

-- The log. idx runs from 0 without gaps.
CREATE TABLE entry (
	idx INTEGER PRIMARY KEY,
	bytes BLOB NOT NULL,	-- as hashed
	leaf BLOB NOT NULL,	-- SHA-256(0x00 || bytes)
	subtrees BLOB,		-- roots of the subtrees of 2, 4, 8, ... leaves that end here, 32 bytes each
	kept BLOB,		-- binding of a requestId and the reply to it
	checkpoint BLOB		-- signed note of the tree that ends here
);

-- What a token may be working on. Rows found when the log is opened become entries with outcome unknown.
CREATE TABLE claim (
	id INTEGER PRIMARY KEY,
	kind TEXT NOT NULL,
	body BLOB NOT NULL,
	openings BLOB,
	kept BLOB
);

-- PIN tries since the last success.
CREATE TABLE tried (
	serial TEXT NOT NULL,
	source TEXT NOT NULL,
	pending INTEGER NOT NULL,
	failures INTEGER NOT NULL,
	last_us INTEGER NOT NULL,
	PRIMARY KEY (serial, source)
) WITHOUT ROWID;

-- Texts behind the hashes of an entry: SHA-256(salt || text). Both are NULL once they are erased.
CREATE TABLE opening (
	idx INTEGER NOT NULL,
	field TEXT NOT NULL,
	salt BLOB,
	text BLOB,
	PRIMARY KEY (idx, field)
) WITHOUT ROWID;

INSERT INTO meta (key, value) VALUES ('schema', 2);
