BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'delivery','first','2026-11-28 21:55:04.398664+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'agent','first','2026-11-28 21:55:04.438700+00:00');
INSERT INTO "_sqlite_migrations" VALUES(3,'agent','sizes','2026-11-28 21:55:04.549694+00:00');
INSERT INTO "_sqlite_migrations" VALUES(4,'agent','lists','2026-11-28 21:55:04.558548+00:00');
CREATE TABLE answer_jobs (
            manager TEXT NOT NULL, job TEXT NOT NULL, PRIMARY KEY (manager, job)
        ) WITHOUT ROWID;
CREATE TABLE answers (manager TEXT PRIMARY KEY, wanted TEXT NOT NULL, after TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO "counters" VALUES('disk_bytes',16384);
INSERT INTO "counters" VALUES('serial',5);
CREATE TABLE dead_letters (
            id INTEGER PRIMARY KEY, date REAL NOT NULL, peer TEXT NOT NULL, message TEXT NOT NULL,
            body BLOB NOT NULL, traceback TEXT NOT NULL
        );
CREATE TABLE demands (
            manager TEXT NOT NULL, job_type TEXT NOT NULL, serial INTEGER NOT NULL,
            ready INTEGER NOT NULL, waiting INTEGER NOT NULL, others INTEGER NOT NULL, priority INTEGER NOT NULL,
            offer_due REAL NOT NULL, heard INTEGER NOT NULL, PRIMARY KEY (manager, job_type)
        ) WITHOUT ROWID;
CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "facts" VALUES('boots','["qhemsqg6okhbvepj"]');
INSERT INTO "facts" VALUES('database','u5zqxknfuewc7zn2');
CREATE TABLE jobs (
            id INTEGER PRIMARY KEY, job TEXT NOT NULL UNIQUE, manager TEXT NOT NULL, job_type TEXT NOT NULL,
            workflow TEXT NOT NULL, step TEXT NOT NULL, attempt INTEGER NOT NULL, priority INTEGER NOT NULL,
            state TEXT NOT NULL, data TEXT NOT NULL, serial INTEGER NOT NULL, begun INTEGER NOT NULL DEFAULT 0,
            killed TEXT, inputs_hash TEXT NOT NULL DEFAULT '', version TEXT, exit_code INTEGER,
            received REAL NOT NULL, started REAL, ended REAL, reason TEXT, stderr TEXT,
            inputs TEXT NOT NULL, outputs TEXT
        , disk_bytes INTEGER NOT NULL DEFAULT 0);
INSERT INTO "jobs" VALUES(1,'jbrj4rhaaxg3k2yq','m1','note','w1','only',1,4,'completed','delivered',3,1,NULL,'e7f4760b377fdbcd46fed634de2f3c8f','155015b819514b23',0,1.79590291623330783844e+09,1.79590291626826167111e+09,1.79590291635630345343e+09,NULL,NULL,'{"message":"w1"}','{"jobout":"w1"}',16384);
INSERT INTO "jobs" VALUES(2,'xpuhojynhdog6peu','m1','note','w2','only',1,4,'running','delivered',5,1,NULL,'9c0439c0f0161112fd76b24eedbe273a','155015b819514b23',NULL,1.79590291703335022928e+09,1.79590291703335022928e+09,NULL,NULL,NULL,'{"message":"w2"}',NULL,0);
CREATE TABLE leaving (manager TEXT PRIMARY KEY, upto INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE load (
            state TEXT NOT NULL, manager TEXT NOT NULL, job_type TEXT NOT NULL, jobs INTEGER NOT NULL,
            PRIMARY KEY (state, manager, job_type)
        ) WITHOUT ROWID;
INSERT INTO "load" VALUES('completed','m1','note',1);
INSERT INTO "load" VALUES('queued','m1','note',0);
INSERT INTO "load" VALUES('running','m1','note',1);
CREATE TABLE managers (
            manager TEXT PRIMARY KEY, online INTEGER, ran_out INTEGER NOT NULL DEFAULT 0,
            hold_until REAL NOT NULL DEFAULT 0
        ) WITHOUT ROWID;
INSERT INTO "managers" VALUES('m1',0,0,0.0);
CREATE TABLE offers (
            manager TEXT NOT NULL, job_type TEXT NOT NULL, offer TEXT NOT NULL, state TEXT NOT NULL,
            serial INTEGER NOT NULL, ready INTEGER NOT NULL, waiting INTEGER NOT NULL, taken INTEGER NOT NULL,
            reserves INTEGER NOT NULL, valid_until REAL NOT NULL, left_ready INTEGER NOT NULL,
            left_waiting INTEGER NOT NULL, again_due REAL NOT NULL, wait_s REAL NOT NULL,
            heard INTEGER NOT NULL,
            PRIMARY KEY (manager, job_type)
        ) WITHOUT ROWID;
INSERT INTO "offers" VALUES('m1','note','mvf3ljt55ttdr3bp','accepted',3,0,0,1,1,25102.00239794,0,0,25102.153034609,10.0,1);
CREATE TABLE outbox (
            peer TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL,
            PRIMARY KEY (peer, seq)
        ) WITHOUT ROWID;
CREATE TABLE peers (
            peer TEXT PRIMARY KEY,
            acked_seq INTEGER NOT NULL DEFAULT 0, acked_id TEXT NOT NULL DEFAULT '',
            taken_seq INTEGER NOT NULL DEFAULT 0, taken_id TEXT NOT NULL DEFAULT '',
            reconcile INTEGER NOT NULL DEFAULT 0,
            silent_s REAL NOT NULL DEFAULT 0
        ) WITHOUT ROWID;
INSERT INTO "peers" VALUES('m1',7,'lz356kdmfvcncdsx',2,'acgpflgahyzwpx67',0,0.0);
CREATE TABLE records (
            job_type TEXT PRIMARY KEY, version TEXT NOT NULL, failures INTEGER NOT NULL, probe_due REAL NOT NULL
        ) WITHOUT ROWID;
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX jobs_state ON jobs (state, id);
CREATE INDEX jobs_manager ON jobs (manager, id);
CREATE INDEX jobs_changed ON jobs (manager, serial);
CREATE INDEX jobs_ready ON jobs (manager, priority DESC, id) WHERE state = 'queued';
CREATE INDEX jobs_killed ON jobs (job) WHERE killed IS NOT NULL;
CREATE INDEX jobs_ended ON jobs (ended) WHERE ended IS NOT NULL;
CREATE TRIGGER job_added AFTER INSERT ON jobs BEGIN
            INSERT INTO load (state, manager, job_type, jobs) VALUES (new.state, new.manager, new.job_type, 1)
            ON CONFLICT (state, manager, job_type) DO UPDATE SET jobs = jobs + 1;
        END;
CREATE TRIGGER job_changed AFTER UPDATE OF state ON jobs WHEN old.state <> new.state BEGIN
            UPDATE load SET jobs = jobs - 1
            WHERE state = old.state AND manager = old.manager AND job_type = old.job_type;
            INSERT INTO load (state, manager, job_type, jobs) VALUES (new.state, new.manager, new.job_type, 1)
            ON CONFLICT (state, manager, job_type) DO UPDATE SET jobs = jobs + 1;
        END;
CREATE TRIGGER job_deleted AFTER DELETE ON jobs BEGIN
            UPDATE load SET jobs = jobs - 1
            WHERE state = old.state AND manager = old.manager AND job_type = old.job_type;
        END;
CREATE TRIGGER job_measured AFTER UPDATE OF disk_bytes ON jobs WHEN old.disk_bytes <> new.disk_bytes BEGIN
            UPDATE counters SET value = value + new.disk_bytes - old.disk_bytes WHERE name = 'disk_bytes';
        END;
CREATE TRIGGER job_freed AFTER DELETE ON jobs WHEN old.disk_bytes <> 0 BEGIN
            UPDATE counters SET value = value - old.disk_bytes WHERE name = 'disk_bytes';
        END;
CREATE INDEX jobs_manager_state ON jobs (manager, state, id);
DELETE FROM "sqlite_sequence";
COMMIT;
