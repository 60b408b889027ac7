"""What `t2t report` does."""

from collections.abc import Sequence

from t2t.errors import UserError
from t2t.reporting.run_report.page import page
from t2t.reporting.run_report.runs import RunReader, names_of
from t2t.reporting.run_report.server import LivePage, Server
from t2t.reporting.whole_files import whole_file


def write_report(model_dirs: Sequence[str], output: str = "report.html") -> None:
    """Writes a page about runs, laid over each other if there are several.

    Args:
      model_dirs: their folders.
      output: path of the page, which appears whole or not at all.

    Raises:
      UserError: if one is not the folder of a run, or is given twice; if the page cannot be
        written.
    """
    readers = [RunReader(model_dir) for model_dir in model_dirs]
    names = names_of([reader.path for reader in readers])
    with whole_file(output, "w") as file:
        runs = [reader.read(name) for reader, name in zip(readers, names, strict=True)]
        file.write(page(runs))


def serve_report(model_dirs: Sequence[str], port: int) -> None:
    """Serves that page, kept up to date, until interrupted.

    Raises:
      UserError: as `write_report`; if the port is taken.
    """
    if not 0 <= port < 65536:
        raise UserError(f"--port must be from 0 to 65535, got {port}.")
    readers = [RunReader(model_dir) for model_dir in model_dirs]
    names_of([reader.path for reader in readers])  # refuses the same twice before it is read
    with Server(LivePage(readers), port) as server:
        print(f"The report is at {server.address} (Ctrl-C ends it).", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
