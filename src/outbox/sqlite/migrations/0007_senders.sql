-- Rate limits count by the identity of a sender in WeCom. So a sender keeps its deliveries when the configuration
-- renames it.

CREATE TABLE sender (
    name     TEXT PRIMARY KEY, -- under which deliveries are or were stored
    identity TEXT NOT NULL,    -- the API URL, the corp and the agent that the name meant last
    queue    TEXT NOT NULL,    -- stands for the sender in ordering keys: its first name, if no other sender has that
    moved_to TEXT              -- the present name, if this one is a former one
) STRICT, WITHOUT ROWID;
