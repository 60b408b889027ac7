"""What apt says of all packages of a Debian release: its indices, fetched without root.

apt works in a folder of its own here, `apt` in the data folder, with its own list of one release:
neither the system's lists nor its configuration of releases are read or changed.
"""

from pathlib import Path

from t2t.data.sources.archives import Archive
from t2t.errors import UserError

MIRROR = "http://deb.debian.org/debian"
RELEASE = "bookworm"
LANGUAGES = ("en", "de", "fr", "it", "da")

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")  # Ubuntu can have it, too
_CONFIGURATION = """\
#clear Acquire::Languages;
#clear APT::Architectures;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::State::Lists "{folder}/lists";
Dir::Cache "{folder}/cache";
Dir::Etc::SourceList "{folder}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Acquire::Languages {{ {languages} }};
Acquire::GzipIndexes "false";
Acquire::Retries "3";
APT::Update::Error-Mode "any";
APT::Architecture "amd64";
APT::Sandbox::User "";
"""


class DebianIndex(Archive):
    """One index, a text file of records; `file` is its path below the data folder."""

    def text(self) -> str:
        """Raises UserError if it is not there, with the command that fetches it, or damaged."""
        path = self.downloaded()
        if path is None:
            raise self.missing()
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"Cannot read '{path}': {error}. Delete it and fetch it again: `{self.command()}`."
            ) from error

    def command(self) -> str:
        return self.fetch


def index(name: str, task: str) -> DebianIndex:
    """The index whose file name ends so; `task` is one that `t2t fetch` can be given for it."""
    return DebianIndex(f"t2t fetch {task}", f"apt/lists/*_{RELEASE}_main_{name}")


def prepare_apt(folder: Path, mirror: str = MIRROR) -> list[str]:
    """Writes apt's configuration into `folder`/apt; returns the start of commands that use it."""
    own = (folder / "apt").resolve()
    for name in ("state", "lists/partial", "cache/archives/partial"):
        (own / name).mkdir(parents=True, exist_ok=True)
    (own / "status").touch()
    keys = f"[signed-by={_KEYRING}] " if _KEYRING.exists() else ""
    (own / "sources.list").write_text(f"deb {keys}{mirror} {RELEASE} main\n", encoding="utf-8")
    languages = " ".join(f'"{language}";' for language in LANGUAGES)
    text = _CONFIGURATION.format(folder=own, languages=languages)
    (own / "apt.conf").write_text(text, encoding="utf-8")
    return ["apt-get", "-c", str(own / "apt.conf")]
