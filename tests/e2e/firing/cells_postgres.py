"""Postgres in trouble of its own."""

from .cell import cell


@cell("postgres", "stopped and started", "waits, others go on, catches up", quick=True)
def _(scene):
    postgres = scene.servers.postgres
    postgres.stop(2)
    scene.sink_is("postgres", "waiting", "postgres")
    scene.others_move("postgres")
    postgres.start()
    scene.over()


@cell("postgres", "killed in the middle of writes", "what was committed stands, the rest is written again")
def _(scene):
    for _ in range(3):
        scene.moves("postgres")
        scene.servers.postgres.kill()
        scene.others_move("postgres")
        scene.servers.postgres.start()
    scene.over()


@cell("postgres", "stands still (SIGSTOP)", "gives up at its deadline, others go on", quick=True)
def _(scene):
    scene.servers.postgres.freeze()
    scene.sink_is("postgres", "waiting", "postgres")
    scene.others_move("postgres")
    scene.servers.postgres.thaw()
    scene.over()
