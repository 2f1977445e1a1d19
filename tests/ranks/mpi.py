"""Programs that mpirun starts, for tests of ranks."""
import os
import signal
import subprocess
import time

ENVIRONMENT = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMP_NUM_THREADS="1",
                   OMP_WAIT_POLICY="passive")


def mpirun(ranks, command, folder=None, options=(), seconds=120):
    """Returns the exit code, what all ranks said and how long it took; nothing of it is left over."""
    begin = time.monotonic()
    process = subprocess.Popen(["mpirun", "--oversubscribe", *options, "-np", str(ranks), *map(str, command)], cwd=folder,
                               env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               start_new_session=True)
    try:
        said = process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired as late:
        os.killpg(process.pid, signal.SIGKILL)
        raise AssertionError(f"{command} hangs: {process.communicate()[0]}") from late
    return process.returncode, said, time.monotonic() - begin
