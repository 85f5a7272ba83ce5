"""Postgres in trouble of its own: down, killed, frozen, read-only, full, locked, set back, or refusing."""

import subprocess

from .cell import Failed, cell
from .servers import Postgres
from .small_disk import full_disk


@cell("postgres", "stopped and started", "waits, others go on, catches up")
def _(scene):
    postgres = scene.servers.postgres
    postgres.stop(2)
    scene.sink_is("postgres", "waiting", "postgres", "Connection refused")
    scene.others_move("postgres")
    postgres.start()
    scene.over()


@cell("postgres", "killed in the middle of writes, twice", "what was committed stands, the rest is written again")
def _(scene):
    for _ in range(2):
        scene.moves("postgres")
        scene.servers.postgres.kill()
        scene.others_move("postgres")
        scene.servers.postgres.start()
    scene.over()


@cell("postgres", "stands still (SIGSTOP)", "gives up at its deadline, others go on")
def _(scene):
    scene.servers.postgres.freeze()
    scene.sink_is("postgres", "waiting", "postgres", "no answer within")
    scene.others_move("postgres")
    scene.servers.postgres.thaw()
    scene.over()


@cell("postgres", "sessions ended by an operator, five times", "opens again each time")
def _(scene):
    for _ in range(5):
        scene.moves("postgres", times=1)
        scene.servers.postgres.end_sessions()
    scene.others_move("postgres")
    scene.over()


def session_with(scene, statement):
    """A session of somebody's that has begun a transaction with this. It ends with `scene.kept`."""
    session = subprocess.Popen(["psql", "-Xq", f"postgresql://postgres@127.0.0.1:{scene.servers.postgres.port}/crm"],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
    scene.kept.callback(session.wait)
    scene.kept.callback(session.terminate)
    session.stdin.write(f"begin; {statement};\n")
    session.stdin.flush()


LOCK_TABLES = "lock table crm.account, crm.contact, crm.activity, crm.case in access exclusive mode"


@cell("postgres", "statements cancelled by an operator", "the transaction is rolled back whole and written again")
def _(scene):
    for _ in range(3):
        session_with(scene, LOCK_TABLES)  # so that there is a statement at work when the operator comes
        scene.until("a statement of ours is cancelled", lambda: scene.servers.postgres.sql(
            "select pg_cancel_backend(pid) from pg_stat_activity where usename = 'headwater' and wait_event_type = 'Lock'") == "t")
        scene.sink_is("postgres", "waiting", "canceling statement due to user request")
        scene.kept.close()
        scene.moves("postgres", times=1)
    scene.others_move("postgres")
    scene.over()


@cell("postgres", "read-only (default_transaction_read_only)", "waits and says so, nothing quarantined, others go on", quick=True)
def _(scene):
    sql = scene.servers.postgres.sql
    sql("alter system set default_transaction_read_only = on", "select pg_reload_conf()")
    scene.kept.callback(sql, "alter system reset default_transaction_read_only", "select pg_reload_conf()")
    scene.waits_it_out("postgres", "read-only transaction")


@cell("postgres", "no connection left (role's limit)", "waits and says so, others go on")
def _(scene):
    postgres = scene.servers.postgres
    postgres.sql("alter role headwater connection limit 0")
    scene.kept.callback(postgres.sql, "alter role headwater connection limit -1")
    postgres.end_sessions()
    scene.waits_it_out("postgres", "too many connections")


@cell("postgres", "a table locked by someone else", "waits and says so, others go on, nothing quarantined")
def _(scene):
    session_with(scene, LOCK_TABLES)
    scene.waits_it_out("postgres", "lock timeout")


@cell("postgres", "one row refused (check constraint)", "that row alone to quarantine, its neighbours land", quick=True)
def _(scene):
    sql = scene.servers.postgres.sql
    sql("alter table crm.account add constraint no_refused check (name not like 'Refused%')")
    scene.kept.callback(sql, "alter table crm.account drop constraint if exists no_refused")
    names = ["Good One", "Refused One", "Good Two", "Good Three"]
    ids = scene.org.post("/emit", {"statements": [
        {"op": "create", "object": "Account", "fields": {"Name": name}} for name in names]})["ids"]
    landed = f"select count(*) from crm.account where id in ({', '.join(repr(each) for each in ids)})"
    scene.until("the neighbours are there", lambda: sql(landed) == "3", told=lambda: sql(landed))
    scene.logged("sink refuses an entry for good")
    scene.sink_is("postgres", "ok")
    scene.kept.close()
    scene.over()
    scene.org.emit("update", "Account", {"Name": "No Longer"}, id=ids[1])
    scene.quarantined = 1


@cell("postgres", "every row of a table refused (a constraint)", "red with the cause, nothing quarantined, goes on by itself", rate=5,
      recovery_max=100)
def _(scene):
    sql = scene.servers.postgres.sql
    ids = [scene.org.emit("create", "Account", {"Name": f"Accepted {number}"}) for number in range(8)]
    scene.until("they are there", lambda: sql("select count(*) from crm.account where name like 'Accepted%'") == "8")
    # Not valid: rows that stand there stay; whatever is written now is refused.
    sql("alter table crm.account add constraint nothing_goes check (false) not valid")
    scene.kept.callback(sql, "alter table crm.account drop constraint if exists nothing_goes")
    for each in ids:
        scene.org.emit("update", "Account", {"Name": "Refused Whatever It Is"}, id=each)
    scene.sink_is("postgres", "blocked", "check constraint")
    scene.red("sink postgres is blocked")
    scene.others_move("postgres")
    scene.kept.close()
    scene.over()


@cell("postgres", "restored from an old backup", "goes on after the older cursor, from the journal")
def _(scene):
    postgres = scene.servers.postgres
    postgres.stop(2)
    postgres.save("backup")
    postgres.start()
    rev = scene.beyond("postgres", times=7)
    postgres.stop(2)
    opened = len(scene.opened("postgres"))
    postgres.restore("backup")
    postgres.start()
    scene.over()
    scene.went_back("postgres", rev, opened)


@cell("postgres", "disk full (tmpfs)", "waits and says so, nothing quarantined, others go on", rate=40)
def _(scene):
    def boot(folder):
        return Postgres(f"{folder}/pg", scene.servers.gates, "small.postgres", ("-c", "max_wal_size=64MB", "-c", "min_wal_size=32MB"))

    def again(server):
        if server.process.poll() is not None:  # without room for its log the server ends itself
            server.process = None
            server.start()

    full_disk(scene, "postgres", boot, 160, again)


@cell("postgres", "wrong password, then corrected", "red with the remedy, nothing quarantined, tried again with the file read anew",
      rate=5, recovery_max=100)
def _(scene):
    postgres = scene.servers.postgres
    postgres.sql("alter role headwater password 'second'")
    postgres.end_sessions()
    scene.sink_is("postgres", "blocked", "password", "password_file")
    scene.red("sink postgres is blocked")
    scene.others_move("postgres")
    scene.world.write_password("postgres", "second")
    postgres.PASSWORD = "second"
    scene.over()


@cell("postgres", "privilege revoked, then granted", "red with the remedy, nothing quarantined, tried again", rate=5, recovery_max=100)
def _(scene):
    sql = scene.servers.postgres.sql
    sql("alter table crm.account owner to postgres")
    scene.kept.callback(sql, "alter table crm.account owner to headwater")
    scene.sink_is("postgres", "blocked", "permission denied", "grant", seconds=60)
    scene.red("sink postgres is blocked")
    scene.others_move("postgres")
    scene.kept.close()
    scene.over()


@cell("postgres", "schema dropped", "red with the remedy, then made anew and filled with every record", rate=5, recovery_max=100)
def _(scene):
    scene.servers.postgres.sql("drop schema crm cascade")
    scene.sink_is("postgres", "blocked", "table is missing")
    scene.others_move("postgres")
    scene.over()


@cell("postgres", "a table dropped by someone", "told, made anew and filled with every record", rate=5, recovery_max=100)
def _(scene):
    scene.servers.postgres.sql("drop table crm.account cascade")
    scene.org.emit("create", "Account", {"Name": "Where Is My Table"})
    scene.sink_is("postgres", "blocked", "table is missing")
    scene.others_move("postgres")
    scene.over()


@cell("postgres", "a column dropped, another renamed by someone", "told, made anew and filled in every record", rate=5, recovery_max=100)
def _(scene):
    sql = scene.servers.postgres.sql
    sql("alter table crm.account drop column industry cascade", "alter table crm.contact rename column email to mail")
    scene.kept.callback(sql, "drop view if exists crm.contact_live", "alter table crm.contact drop column mail",
                        "create view crm.contact_live as select * from crm.contact where not is_deleted")
    scene.org.emit("create", "Account", {"Name": "Where Is My Column"})
    scene.sink_is("postgres", "blocked", "column is missing")
    scene.others_move("postgres")
    scene.over()


@cell("postgres", "its synchronous standby gone: no commit returns", "gives up at its deadline, others go on, nothing quarantined", rate=10)
def _(scene):
    """The server commits, and holds rows locked and unseen, until somebody tells it to wait no longer."""
    sql = scene.servers.postgres.sql
    sql("alter system set synchronous_standby_names = 'nobody'", "select pg_reload_conf()")

    def mend():
        # Of this session, or its own commit would wait too.
        sql("alter system reset synchronous_standby_names", "select pg_reload_conf()")

    scene.kept.callback(mend)
    scene.waits_it_out("postgres", "postgres")


@cell("postgres", "the role's statement_timeout and lock_timeout are 1 ms", "goes on: its sessions have deadlines of their own")
def _(scene):
    postgres = scene.servers.postgres
    postgres.sql("alter role headwater set statement_timeout = '1ms'", "alter role headwater set lock_timeout = '1ms'")
    scene.kept.callback(postgres.sql, "alter role headwater reset all")
    said = postgres.as_headwater("select pg_sleep(5)")
    if "statement timeout" not in said:
        raise Failed(f"the role's timeout does not bite: {said}")
    postgres.end_sessions()
    scene.moves(*scene.world.sinks)
    scene.kept.close()
    scene.over()


@cell("postgres", "the cursor's row locked by someone else", "waits and says so, others go on, nothing quarantined")
def _(scene):
    session_with(scene, "select * from crm.cursor for update")
    scene.waits_it_out("postgres", "lock timeout")
