-- The catalog as version 0.1 began with it (schema version 1): what migrations start from.
CREATE TABLE spaces ( id INTEGER NOT NULL, model TEXT NOT NULL, dimensions INTEGER NOT NULL, fingerprint TEXT NOT NULL, serving INTEGER NOT NULL, PRIMARY KEY (id), UNIQUE (model, fingerprint) );
CREATE TABLE contents ( id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, hash TEXT NOT NULL, text TEXT NOT NULL, thumbnail BLOB, UNIQUE (kind, hash), CHECK (kind IN ('picture', 'text')) );
CREATE TABLE changes ( seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, space_id INTEGER NOT NULL, kind TEXT NOT NULL, content_id INTEGER NOT NULL, removed INTEGER NOT NULL );
CREATE TABLE problems ( path BLOB NOT NULL, reason TEXT NOT NULL, message TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, PRIMARY KEY (path) );
CREATE TABLE roots ( path BLOB NOT NULL, PRIMARY KEY (path) );
CREATE TABLE items ( id INTEGER NOT NULL, path BLOB NOT NULL, content_id INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, sidecar_mtime_ns INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, format TEXT NOT NULL, taken_at TEXT, camera TEXT NOT NULL, lens TEXT NOT NULL, latitude FLOAT, longitude FLOAT, orientation INTEGER NOT NULL, title TEXT NOT NULL, description TEXT NOT NULL, keywords TEXT NOT NULL, rating INTEGER, PRIMARY KEY (id), UNIQUE (path), FOREIGN KEY(content_id) REFERENCES contents (id) );
CREATE INDEX items_by_time ON items (taken_at);
CREATE INDEX items_by_content ON items (content_id);
CREATE TABLE captions ( id INTEGER NOT NULL, picture_id INTEGER, text_id INTEGER NOT NULL, source TEXT NOT NULL, origin BLOB NOT NULL, PRIMARY KEY (id), FOREIGN KEY(picture_id) REFERENCES contents (id) ON DELETE CASCADE, FOREIGN KEY(text_id) REFERENCES contents (id) );
CREATE INDEX captions_by_picture ON captions (picture_id);
CREATE INDEX captions_by_text ON captions (text_id);
CREATE TABLE embeddings ( space_id INTEGER NOT NULL, content_id INTEGER NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (space_id, content_id), FOREIGN KEY(space_id) REFERENCES spaces (id) ON DELETE CASCADE, FOREIGN KEY(content_id) REFERENCES contents (id) ON DELETE CASCADE );
CREATE TABLE vector_files ( space_id INTEGER NOT NULL, kind TEXT NOT NULL, engine TEXT NOT NULL, file TEXT NOT NULL, upto INTEGER NOT NULL, checksum TEXT NOT NULL, PRIMARY KEY (space_id, kind), FOREIGN KEY(space_id) REFERENCES spaces (id) ON DELETE CASCADE );
PRAGMA user_version = 1;

