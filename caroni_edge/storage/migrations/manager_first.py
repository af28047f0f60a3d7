"""Tables of the manager: the first of its migrations. The later ones are in `manager_second.py` and `manager.py`."""

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from caroni_edge.storage.migrations.script import script

manager = Migrations("manager")


@manager()
def first(db: Database) -> None:
    """Workflows with their steps and attempts; agents, their offers and the demand that they hear.

    Times in columns named `…_due`, `…_since` and `…_until` are on the monotonic clock and begin anew at each start of
    the process; all others are Unix seconds for people.
    """
    script(
        db,
        """
        CREATE TABLE plans (
            hash TEXT PRIMARY KEY, template TEXT NOT NULL, body BLOB NOT NULL, date REAL NOT NULL
        ) WITHOUT ROWID;

        CREATE TABLE workflows (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, template TEXT NOT NULL, plan TEXT NOT NULL,
            content TEXT NOT NULL, status TEXT NOT NULL, priority INTEGER NOT NULL, inputs TEXT NOT NULL, outputs TEXT,
            reason TEXT, reply_to TEXT, steps_left INTEGER NOT NULL, created REAL NOT NULL, ended REAL,
            last_event BLOB
        );
        CREATE INDEX workflows_status ON workflows (status, seq);
        CREATE INDEX workflows_template ON workflows (template, seq);
        CREATE INDEX workflows_ended ON workflows (ended) WHERE ended IS NOT NULL;

        CREATE TABLE steps (
            id INTEGER PRIMARY KEY, workflow INTEGER NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL,
            job_type TEXT NOT NULL, status TEXT NOT NULL, priority INTEGER NOT NULL, missing INTEGER NOT NULL,
            inputs TEXT NOT NULL, outputs TEXT, job TEXT, attempt INTEGER NOT NULL DEFAULT 0,
            tries INTEGER NOT NULL DEFAULT 0, retry_due REAL, held TEXT, reason TEXT,
            UNIQUE (workflow, path)
        );
        CREATE INDEX steps_wanted ON steps (job_type, missing > 0, priority DESC, id)
            WHERE status = 'fulfilling' AND retry_due IS NULL AND held IS NULL;
        CREATE INDEX steps_waiting ON steps (job_type, workflow) WHERE status = 'fulfilling';
        CREATE INDEX steps_retry ON steps (retry_due) WHERE retry_due IS NOT NULL;

        CREATE TABLE jobs (
            job TEXT PRIMARY KEY, step INTEGER NOT NULL, attempt INTEGER NOT NULL, agent TEXT NOT NULL,
            status TEXT NOT NULL, open INTEGER NOT NULL DEFAULT 1, lost INTEGER NOT NULL DEFAULT 0,
            data_sent INTEGER NOT NULL, begun INTEGER NOT NULL DEFAULT 0, repeat INTEGER NOT NULL,
            serial INTEGER NOT NULL DEFAULT 0, exit_code INTEGER, reason TEXT, stderr TEXT, version TEXT,
            placed REAL NOT NULL, started REAL, ended REAL
        ) WITHOUT ROWID;
        CREATE INDEX jobs_of_step ON jobs (step, attempt);
        CREATE INDEX jobs_open ON jobs (agent, job) WHERE open;

        CREATE TABLE logs (
            job TEXT NOT NULL, offset INTEGER NOT NULL, data BLOB NOT NULL, end INTEGER NOT NULL,
            PRIMARY KEY (job, offset)
        ) WITHOUT ROWID;

        CREATE TABLE agents (
            agent TEXT PRIMARY KEY, online INTEGER NOT NULL DEFAULT 0, boot TEXT NOT NULL DEFAULT '',
            version TEXT NOT NULL DEFAULT '', host TEXT NOT NULL DEFAULT '', slots INTEGER NOT NULL DEFAULT 0,
            refuses TEXT NOT NULL DEFAULT '{}', seen REAL NOT NULL DEFAULT 0,
            database TEXT NOT NULL DEFAULT '', known INTEGER NOT NULL DEFAULT 0,
            heard INTEGER NOT NULL DEFAULT 0, wanted TEXT, wanted_since REAL, again_due REAL
        ) WITHOUT ROWID;
        CREATE INDEX agents_wanted ON agents (wanted_since) WHERE wanted IS NOT NULL;
        CREATE INDEX agents_again ON agents (again_due) WHERE again_due IS NOT NULL;
        CREATE INDEX peers_marked ON peers (peer) WHERE reconcile;
        CREATE TABLE agent_types (
            job_type TEXT NOT NULL, agent TEXT NOT NULL, online INTEGER NOT NULL, notice TEXT NOT NULL,
            PRIMARY KEY (job_type, agent)
        ) WITHOUT ROWID;
        CREATE INDEX agent_types_agent ON agent_types (agent);

        CREATE TABLE offers (
            number INTEGER PRIMARY KEY, offer TEXT NOT NULL UNIQUE, agent TEXT NOT NULL, job_type TEXT NOT NULL,
            ready INTEGER NOT NULL, waiting INTEGER NOT NULL, repeat INTEGER NOT NULL, valid_until REAL NOT NULL
        );

        CREATE TABLE demands (
            job_type TEXT PRIMARY KEY, serial INTEGER NOT NULL DEFAULT 0, said BLOB DEFAULT x'',
            unserved_since REAL
        ) WITHOUT ROWID;

        CREATE TABLE triggers (
            packet_id INTEGER PRIMARY KEY, hash TEXT NOT NULL
        ) WITHOUT ROWID;
        """,
    )


@manager()
def branches(db: Database) -> None:
    """Steps within steps: instances of a scattered step, steps of a nested workflow; named agents; limits.

    Until now every step had all that it needed to be wanted, and none was bound.
    """
    script(
        db,
        """
        ALTER TABLE steps ADD COLUMN parent INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE steps ADD COLUMN nth INTEGER;
        ALTER TABLE steps ADD COLUMN late INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE steps ADD COLUMN parts INTEGER;
        ALTER TABLE steps ADD COLUMN made INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE steps ADD COLUMN parts_left INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE steps ADD COLUMN agents TEXT;
        ALTER TABLE steps ADD COLUMN gates_passed INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE steps ADD COLUMN gate INTEGER;
        DROP INDEX steps_wanted;
        CREATE INDEX steps_wanted ON steps (job_type, missing > 0, priority DESC, id)
            WHERE status = 'fulfilling' AND retry_due IS NULL AND held IS NULL AND agents IS NULL;
        CREATE INDEX steps_bound ON steps (job_type, agents, missing > 0)
            WHERE status = 'fulfilling' AND retry_due IS NULL AND held IS NULL AND agents IS NOT NULL;
        CREATE INDEX steps_nth ON steps (parent, nth) WHERE nth IS NOT NULL;
        CREATE INDEX steps_untaken ON steps (parent) WHERE nth IS NOT NULL AND status IN ('created', 'fulfilling');
        CREATE INDEX steps_growing ON steps (workflow) WHERE parts > made AND status = 'running';
        CREATE INDEX steps_at_gate ON steps (gate, id) WHERE gate IS NOT NULL;

        CREATE TABLE bound (
            agent TEXT NOT NULL, step INTEGER NOT NULL, PRIMARY KEY (agent, step)
        ) WITHOUT ROWID;
        CREATE INDEX bound_step ON bound (step);

        CREATE TABLE unserved (
            job_type TEXT NOT NULL, agents TEXT NOT NULL, since REAL NOT NULL, PRIMARY KEY (job_type, agents)
        ) WITHOUT ROWID;

        CREATE TABLE scattered (
            step INTEGER PRIMARY KEY, inputs TEXT NOT NULL
        );

        CREATE TABLE gates (
            id INTEGER PRIMARY KEY, workflow INTEGER NOT NULL, key TEXT NOT NULL, parallel INTEGER NOT NULL,
            inside INTEGER NOT NULL DEFAULT 0, UNIQUE (workflow, key)
        );
        """,
    )


@manager()
def sweeping(db: Database) -> None:
    """Workflows that were deleted, while their steps go few by few: one may have a hundred thousand."""
    script(db, "CREATE TABLE pruned (workflow INTEGER PRIMARY KEY);")


@manager()
def unheard(db: Database) -> None:
    """Agents that have not shown themselves since the manager started: not online, and not known to be away."""
    script(db, "ALTER TABLE agents ADD COLUMN unheard INTEGER NOT NULL DEFAULT 1;")


@manager()
def numbers(db: Database) -> None:
    """How many workflows there are in each state, kept by triggers: nobody counts a million of them for a number.

    And an index for lists of what is rare within what is frequent.
    """
    script(
        db,
        """
        CREATE TABLE workflow_counts (status TEXT PRIMARY KEY, workflows INTEGER NOT NULL) WITHOUT ROWID;
        INSERT INTO workflow_counts (status, workflows) SELECT status, count(*) FROM workflows GROUP BY status;
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
        """,
    )


@manager()
def offering_database(db: Database) -> None:
    """Which database of its agent has made an offer: the acceptance names it."""
    script(db, "ALTER TABLE offers ADD COLUMN database TEXT NOT NULL DEFAULT '';")


@manager()
def doubt(db: Database) -> None:
    """Workflows with a step in doubt are stalled: until now they were `running` for ever, and nothing said why.

    A paused template's workflows are the ones that are called held.
    """
    script(
        db,
        """
        ALTER TABLE steps RENAME COLUMN held TO in_doubt;
        CREATE INDEX steps_in_doubt ON steps (workflow) WHERE in_doubt IS NOT NULL;
        UPDATE workflows SET status = 'stalled', reason = (
            SELECT 'step ' || s.path || ' waits for retry: ' || s.in_doubt FROM steps s
            WHERE s.workflow = workflows.seq AND s.in_doubt IS NOT NULL ORDER BY s.id LIMIT 1)
        WHERE status IN ('initializing', 'running', 'stalled')
        AND seq IN (SELECT workflow FROM steps WHERE in_doubt IS NOT NULL);
        """,
    )


@manager()
def serials(db: Database) -> None:
    """Serials are below 2^53 from now on; greater ones were lies, which would be taken for ever."""
    script(
        db,
        """
        UPDATE agents SET known = 0, database = '' WHERE known >= 9007199254740992;
        UPDATE agents SET heard = 0 WHERE heard >= 9007199254740992;
        UPDATE jobs SET serial = 0 WHERE serial >= 9007199254740992;
        """,
    )


@manager()
def whole_answers(db: Database) -> None:
    """What agents say of their jobs while they are asked; and attempts whose end their step waits for."""
    script(
        db,
        """
        CREATE TABLE answers (
            agent TEXT NOT NULL, job TEXT NOT NULL, here BLOB, status BLOB, PRIMARY KEY (agent, job)
        ) WITHOUT ROWID;
        ALTER TABLE jobs ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;
        """,
    )


@manager()
def places(db: Database) -> None:
    """How many jobs an agent keeps beside its slots, as its presence says; until it says it, twice the slots each."""
    script(
        db,
        """
        ALTER TABLE agents ADD COLUMN backlog INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE agents ADD COLUMN pending INTEGER NOT NULL DEFAULT 0;
        UPDATE agents SET backlog = 2 * slots, pending = 2 * slots;
        """,
    )


@manager()
def piled_up(db: Database) -> None:
    """How large the inputs of the workflows in each state are together: kept beside their number, in the same way."""
    script(
        db,
        """
        ALTER TABLE workflow_counts ADD COLUMN input_bytes INTEGER NOT NULL DEFAULT 0;
        UPDATE workflow_counts SET input_bytes = (
            SELECT coalesce(sum(length(CAST(inputs AS BLOB))), 0) FROM workflows
            WHERE workflows.status = workflow_counts.status);
        DROP TRIGGER workflow_added;
        DROP TRIGGER workflow_changed;
        DROP TRIGGER workflow_deleted;
        CREATE TRIGGER workflow_added AFTER INSERT ON workflows BEGIN
            INSERT INTO workflow_counts (status, workflows, input_bytes)
            VALUES (new.status, 1, length(CAST(new.inputs AS BLOB))) ON CONFLICT (status) DO UPDATE
            SET workflows = workflows + 1, input_bytes = input_bytes + excluded.input_bytes;
        END;
        CREATE TRIGGER workflow_changed AFTER UPDATE OF status ON workflows WHEN old.status <> new.status BEGIN
            UPDATE workflow_counts
            SET workflows = workflows - 1, input_bytes = input_bytes - length(CAST(old.inputs AS BLOB))
            WHERE status = old.status;
            INSERT INTO workflow_counts (status, workflows, input_bytes)
            VALUES (new.status, 1, length(CAST(new.inputs AS BLOB))) ON CONFLICT (status) DO UPDATE
            SET workflows = workflows + 1, input_bytes = input_bytes + excluded.input_bytes;
        END;
        CREATE TRIGGER workflow_deleted AFTER DELETE ON workflows BEGIN
            UPDATE workflow_counts
            SET workflows = workflows - 1, input_bytes = input_bytes - length(CAST(old.inputs AS BLOB))
            WHERE status = old.status;
        END;
        """,
    )


@manager()
def lists(db: Database) -> None:
    """Lists of workflows: by the agents that were given their jobs, and with how far each has come.

    A workflow has started when its steps were made; until now that was at its creation, which a 0 stands for.
    """
    script(
        db,
        """
        ALTER TABLE workflows ADD COLUMN started REAL DEFAULT 0;
        CREATE TABLE workflow_agents (
            agent TEXT NOT NULL, workflow INTEGER NOT NULL, PRIMARY KEY (agent, workflow)
        ) WITHOUT ROWID;
        INSERT INTO workflow_agents (agent, workflow)
            SELECT DISTINCT j.agent, s.workflow FROM jobs j CROSS JOIN steps s ON s.id = j.step ORDER BY 1, 2;
        CREATE INDEX workflow_agents_workflow ON workflow_agents (workflow);
        CREATE TRIGGER job_added AFTER INSERT ON jobs BEGIN
            INSERT INTO workflow_agents (agent, workflow) SELECT new.agent, workflow FROM steps WHERE id = new.step
            ON CONFLICT DO NOTHING;
        END;
        CREATE INDEX steps_with_parts ON steps (workflow, id) WHERE parts IS NOT NULL AND parent = 0;
        CREATE INDEX steps_failed ON steps (workflow) WHERE status = 'failed';
        """,
    )


@manager()
def plans_in_use(db: Database) -> None:
    """Which workflows run by a plan: it goes with the last of them. Until now plans stayed for ever."""
    script(
        db,
        """
        CREATE INDEX workflows_plan ON workflows (plan);
        DELETE FROM plans WHERE NOT EXISTS (SELECT 1 FROM workflows WHERE plan = plans.hash);
        """,
    )


@manager()
def pauses(db: Database) -> None:
    """Templates whose new workflows are held."""
    script(
        db,
        """
        CREATE TABLE pauses (
            template TEXT PRIMARY KEY, since REAL NOT NULL, resumed INTEGER NOT NULL DEFAULT 0
        ) WITHOUT ROWID;
        """,
    )


@manager()
def bulks(db: Database) -> None:
    """Commands on many workflows, which are worked off in portions; `filters` is JSON."""
    script(
        db,
        """
        CREATE TABLE bulks (
            number INTEGER PRIMARY KEY, action TEXT NOT NULL, filters TEXT NOT NULL, upto INTEGER NOT NULL,
            after INTEGER NOT NULL, done INTEGER NOT NULL DEFAULT 0
        );
        """,
    )


@manager()
def plans_of_template(db: Database) -> None:
    """The versions of a template that workflows run by, the newest first."""
    script(db, "CREATE INDEX plans_template ON plans (template, date);")


@manager()
def unfinished_steps(db: Database) -> None:
    """Which steps of a workflow have not completed: few, as instances are made when others are taken."""
    script(db, "CREATE INDEX steps_not_completed ON steps (workflow, path) WHERE status <> 'completed';")
