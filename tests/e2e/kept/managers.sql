BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'delivery','first','2026-11-28 21:54:43.588996+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'manager','first','2026-11-28 21:54:43.590509+00:00');
INSERT INTO "_sqlite_migrations" VALUES(3,'manager','branches','2026-11-28 21:54:43.593201+00:00');
INSERT INTO "_sqlite_migrations" VALUES(4,'manager','sweeping','2026-11-28 21:54:43.612778+00:00');
INSERT INTO "_sqlite_migrations" VALUES(5,'manager','unheard','2026-11-28 21:54:43.622500+00:00');
INSERT INTO "_sqlite_migrations" VALUES(6,'manager','numbers','2026-11-28 21:54:43.630866+00:00');
CREATE TABLE agent_types (
            job_type TEXT NOT NULL, agent TEXT NOT NULL, online INTEGER NOT NULL, notice TEXT NOT NULL,
            PRIMARY KEY (job_type, agent)
        ) WITHOUT ROWID;
INSERT INTO "agent_types" VALUES('note','a1',1,'{"inputs":{"message":"string"},"outputs":{"jobout":"string"}}');
CREATE TABLE agents (
            agent TEXT PRIMARY KEY, online INTEGER NOT NULL DEFAULT 0, boot TEXT NOT NULL DEFAULT '',
            version TEXT NOT NULL DEFAULT '', host TEXT NOT NULL DEFAULT '', slots INTEGER NOT NULL DEFAULT 0,
            refuses TEXT NOT NULL DEFAULT '{}', seen REAL NOT NULL DEFAULT 0,
            database TEXT NOT NULL DEFAULT '', known INTEGER NOT NULL DEFAULT 0,
            heard INTEGER NOT NULL DEFAULT 0, wanted TEXT, wanted_since REAL, again_due REAL
        , unheard INTEGER NOT NULL DEFAULT 1) WITHOUT ROWID;
INSERT INTO "agents" VALUES('a1',1,'qhemsqg6okhbvepj','0.1.0','host1',2,'{}',1.79590291576095747953e+09,'u5zqxknfuewc7zn2',5,5,NULL,NULL,NULL,0);
CREATE TABLE bound (
            agent TEXT NOT NULL, step INTEGER NOT NULL, PRIMARY KEY (agent, step)
        ) WITHOUT ROWID;
CREATE TABLE dead_letters (
            id INTEGER PRIMARY KEY, date REAL NOT NULL, peer TEXT NOT NULL, message TEXT NOT NULL,
            body BLOB NOT NULL, traceback TEXT NOT NULL
        );
CREATE TABLE demands (
            job_type TEXT PRIMARY KEY, serial INTEGER NOT NULL DEFAULT 0, said BLOB DEFAULT x'',
            unserved_since REAL
        ) WITHOUT ROWID;
INSERT INTO "demands" VALUES('note',4,X'',NULL);
CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "facts" VALUES('boots','["nap5mrsciiblxnyi"]');
INSERT INTO "facts" VALUES('database','lduo5kmzpmni3fxo');
CREATE TABLE gates (
            id INTEGER PRIMARY KEY, workflow INTEGER NOT NULL, key TEXT NOT NULL, parallel INTEGER NOT NULL,
            inside INTEGER NOT NULL DEFAULT 0, UNIQUE (workflow, key)
        );
CREATE TABLE jobs (
            job TEXT PRIMARY KEY, step INTEGER NOT NULL, attempt INTEGER NOT NULL, agent TEXT NOT NULL,
            status TEXT NOT NULL, open INTEGER NOT NULL DEFAULT 1, lost INTEGER NOT NULL DEFAULT 0,
            data_sent INTEGER NOT NULL, begun INTEGER NOT NULL DEFAULT 0, repeat INTEGER NOT NULL,
            serial INTEGER NOT NULL DEFAULT 0, exit_code INTEGER, reason TEXT, stderr TEXT, version TEXT,
            placed REAL NOT NULL, started REAL, ended REAL
        ) WITHOUT ROWID;
INSERT INTO "jobs" VALUES('jbrj4rhaaxg3k2yq',1,1,'a1','completed',0,0,1,1,1,3,0,NULL,NULL,'155015b819514b23',1.79590291607434797286e+09,1.79590291626826167111e+09,1.79590291635630345343e+09);
INSERT INTO "jobs" VALUES('xpuhojynhdog6peu',2,1,'a1','running',1,0,1,1,1,5,NULL,NULL,NULL,'155015b819514b23',1.79590291697702312471e+09,1.79590291703335022928e+09,NULL);
CREATE TABLE logs (
            job TEXT NOT NULL, offset INTEGER NOT NULL, data BLOB NOT NULL, end INTEGER NOT NULL,
            PRIMARY KEY (job, offset)
        ) WITHOUT ROWID;
CREATE TABLE offers (
            number INTEGER PRIMARY KEY, offer TEXT NOT NULL UNIQUE, agent TEXT NOT NULL, job_type TEXT NOT NULL,
            ready INTEGER NOT NULL, waiting INTEGER NOT NULL, repeat INTEGER NOT NULL, valid_until REAL NOT NULL
        );
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
INSERT INTO "peers" VALUES('a1',2,'acgpflgahyzwpx67',7,'lz356kdmfvcncdsx',0,0.0);
CREATE TABLE plans (
            hash TEXT PRIMARY KEY, template TEXT NOT NULL, body BLOB NOT NULL, date REAL NOT NULL
        ) WITHOUT ROWID;
INSERT INTO "plans" VALUES('58a35eb604e00d911f8c247f85ae44e9','one',X'7B22696E70757473223A5B7B226E616D65223A226D657373616765222C2274797065223A22737472696E67227D5D2C226F757470757473223A5B7B226C696E6B223A7B22736F7572636573223A5B7B226F7574707574223A226A6F626F7574222C2273746570223A226F6E6C79227D5D7D2C226E616D65223A22726573756C74222C2274797065223A22737472696E67227D5D2C227374657073223A5B7B22696E70757473223A5B7B226C696E6B223A7B22736F7572636573223A5B7B22776F726B666C6F775F696E707574223A226D657373616765227D5D7D2C226E616D65223A226D657373616765222C2274797065223A22737472696E67227D5D2C226A6F625F74797065223A226E6F7465222C226E616D65223A226F6E6C79222C226F7574223A5B226A6F626F7574225D2C226F757470757473223A7B226A6F626F7574223A22737472696E67227D7D5D2C2274656D706C617465223A226F6E65227D',1.79590291581481623648e+09);
CREATE TABLE pruned (workflow INTEGER PRIMARY KEY);
CREATE TABLE scattered (
            step INTEGER PRIMARY KEY, inputs TEXT NOT NULL
        );
CREATE TABLE steps (
            id INTEGER PRIMARY KEY, workflow INTEGER NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL,
            job_type TEXT NOT NULL, status TEXT NOT NULL, priority INTEGER NOT NULL, missing INTEGER NOT NULL,
            inputs TEXT NOT NULL, outputs TEXT, job TEXT, attempt INTEGER NOT NULL DEFAULT 0,
            tries INTEGER NOT NULL DEFAULT 0, retry_due REAL, held TEXT, reason TEXT, parent INTEGER NOT NULL DEFAULT 0, nth INTEGER, late INTEGER NOT NULL DEFAULT 0, parts INTEGER, made INTEGER NOT NULL DEFAULT 0, parts_left INTEGER NOT NULL DEFAULT 0, agents TEXT, gates_passed INTEGER NOT NULL DEFAULT 0, gate INTEGER,
            UNIQUE (workflow, path)
        );
INSERT INTO "steps" VALUES(1,1,'only','only','note','completed',4,0,'{"message":"w1"}','{"jobout":"w1"}','jbrj4rhaaxg3k2yq',1,0,NULL,NULL,NULL,0,NULL,0,NULL,0,0,NULL,0,NULL);
INSERT INTO "steps" VALUES(2,2,'only','only','note','running',4,0,'{"message":"w2"}',NULL,'xpuhojynhdog6peu',1,0,NULL,NULL,NULL,0,NULL,0,NULL,0,0,NULL,0,NULL);
CREATE TABLE triggers (
            packet_id INTEGER PRIMARY KEY, hash TEXT NOT NULL
        ) WITHOUT ROWID;
CREATE TABLE unserved (
            job_type TEXT NOT NULL, agents TEXT NOT NULL, since REAL NOT NULL, PRIMARY KEY (job_type, agents)
        ) WITHOUT ROWID;
CREATE TABLE workflow_counts (status TEXT PRIMARY KEY, workflows INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO "workflow_counts" VALUES('completed',1);
INSERT INTO "workflow_counts" VALUES('created',0);
INSERT INTO "workflow_counts" VALUES('initializing',0);
INSERT INTO "workflow_counts" VALUES('running',1);
CREATE TABLE workflows (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, template TEXT NOT NULL, plan TEXT NOT NULL,
            content TEXT NOT NULL, status TEXT NOT NULL, priority INTEGER NOT NULL, inputs TEXT NOT NULL, outputs TEXT,
            reason TEXT, reply_to TEXT, steps_left INTEGER NOT NULL, created REAL NOT NULL, ended REAL,
            last_event BLOB
        );
INSERT INTO "workflows" VALUES(1,'w1','one','58a35eb604e00d911f8c247f85ae44e9','3ff1848de73187ea819ec6c078e6c10e','completed',4,'{"message":"w1"}','{"result":"w1"}',NULL,NULL,0,1.79590291581481623648e+09,1.7959029165213279724e+09,X'7B227370656376657273696F6E223A22312E30222C226964223A22657076773534676E3264696737326370222C22736F75726365223A226361726F6E692F6D616E61676572732F6D31222C2274797065223A226361726F6E692E776F726B666C6F772E636F6D706C65746564222C227375626A656374223A227731222C2274696D65223A22323032362D31312D32385432313A35353A31362E3532315A222C2264617461636F6E74656E7474797065223A226170706C69636174696F6E2F6A736F6E222C2264617461223A7B22776F726B666C6F77223A227731222C2274656D706C617465223A226F6E65222C22737461747573223A22636F6D706C65746564222C226F757470757473223A7B22726573756C74223A227731227D7D7D');
INSERT INTO "workflows" VALUES(2,'w2','one','58a35eb604e00d911f8c247f85ae44e9','4fd23088af67d777f578f208b88dda8e','running',4,'{"message":"w2"}',NULL,NULL,NULL,1,1.79590291668862915043e+09,NULL,X'7B227370656376657273696F6E223A22312E30222C226964223A2271673272797263377133717675757834222C22736F75726365223A226361726F6E692F6D616E61676572732F6D31222C2274797065223A226361726F6E692E776F726B666C6F772E73746172746564222C227375626A656374223A227732222C2274696D65223A22323032362D31312D32385432313A35353A31362E3638385A222C2264617461636F6E74656E7474797065223A226170706C69636174696F6E2F6A736F6E222C2264617461223A7B22776F726B666C6F77223A227732222C2274656D706C617465223A226F6E65222C22737461747573223A22696E697469616C697A696E67227D7D');
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX workflows_status ON workflows (status, seq);
CREATE INDEX workflows_template ON workflows (template, seq);
CREATE INDEX workflows_ended ON workflows (ended) WHERE ended IS NOT NULL;
CREATE INDEX steps_waiting ON steps (job_type, workflow) WHERE status = 'fulfilling';
CREATE INDEX steps_retry ON steps (retry_due) WHERE retry_due IS NOT NULL;
CREATE INDEX jobs_of_step ON jobs (step, attempt);
CREATE INDEX jobs_open ON jobs (agent, job) WHERE open;
CREATE INDEX agents_wanted ON agents (wanted_since) WHERE wanted IS NOT NULL;
CREATE INDEX agents_again ON agents (again_due) WHERE again_due IS NOT NULL;
CREATE INDEX peers_marked ON peers (peer) WHERE reconcile;
CREATE INDEX agent_types_agent ON agent_types (agent);
CREATE INDEX steps_wanted ON steps (job_type, missing > 0, priority DESC, id)
            WHERE status = 'fulfilling' AND retry_due IS NULL AND held IS NULL AND agents IS NULL;
CREATE INDEX steps_bound ON steps (job_type, agents, missing > 0)
            WHERE status = 'fulfilling' AND retry_due IS NULL AND held IS NULL AND agents IS NOT NULL;
CREATE INDEX steps_nth ON steps (parent, nth) WHERE nth IS NOT NULL;
CREATE INDEX steps_untaken ON steps (parent) WHERE nth IS NOT NULL AND status IN ('created', 'fulfilling');
CREATE INDEX steps_growing ON steps (workflow) WHERE parts > made AND status = 'running';
CREATE INDEX steps_at_gate ON steps (gate, id) WHERE gate IS NOT NULL;
CREATE INDEX bound_step ON bound (step);
CREATE TRIGGER workflow_added AFTER INSERT ON workflows BEGIN
            INSERT INTO workflow_counts (status, workflows) VALUES (new.status, 1)
            ON CONFLICT (status) DO UPDATE SET workflows = workflows + 1;
        END;
CREATE TRIGGER workflow_changed AFTER UPDATE OF status ON workflows WHEN old.status <> new.status BEGIN
            UPDATE workflow_counts SET workflows = workflows - 1 WHERE status = old.status;
            INSERT INTO workflow_counts (status, workflows) VALUES (new.status, 1)
            ON CONFLICT (status) DO UPDATE SET workflows = workflows + 1;
        END;
CREATE TRIGGER workflow_deleted AFTER DELETE ON workflows BEGIN
            UPDATE workflow_counts SET workflows = workflows - 1 WHERE status = old.status;
        END;
CREATE INDEX workflows_template_status ON workflows (template, status, seq);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('workflows',2);
INSERT INTO "sqlite_sequence" VALUES('events',4);
COMMIT;
