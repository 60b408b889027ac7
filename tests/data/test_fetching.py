"""`t2t fetch` with programs of our own instead of pip, npm and apt-get."""

import os
import shlex
import time

import pytest

from t2t.cli import main
from t2t.data.features import Feature
from t2t.data.fetching import archives_of, fetch
from t2t.data.mixtures import Mixture
from t2t.data.registry import get_mixture_or_task
from t2t.data.sources import InMemoryDataSource, debian
from t2t.data.sources.archives import Archive, ArchiveDataSource
from t2t.data.sources.debian import index
from t2t.data.tasks import Task
from t2t.data.vocabularies import ByteVocabulary
from t2t.errors import UserError

PIP = Archive("pip download --no-deps one==1.0", "one-1.0-*.whl")
NPM = Archive("npm pack two@2.0", "two-2.0.tgz")
FIRST = Archive("apt-get download three four", "three_*.deb")
SECOND = Archive("apt-get download three four", "four_*.deb")
INDEX = index("i18n_Translation-en", "a")
BRINGS = {
    "pip": "echo data > one-1.0-any.whl",
    "npm": "echo data > two-2.0.tgz",
    "apt-get": """case "$*" in
*update) for name in binary-amd64_Packages i18n_Translation-en
    do echo text > "$PWD/apt/lists/deb_bookworm_main_$name"; done ;;
*) touch three_1.deb four_1.deb ;;
esac""",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("T2T_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Programs on the path that write down how they are called; `programs[name] = script`."""

    class Programs(dict):
        def __setitem__(self, name, script):
            path = bin_folder / name
            called = f'echo "{name} $*" >> {shlex.quote(str(tmp_path / "calls"))}'
            path.write_text(f"#!/bin/sh\n{called}\n{script}\n")
            path.chmod(0o755)

        def calls(self):
            path = tmp_path / "calls"
            text = path.read_text() if path.exists() else ""
            path.unlink(missing_ok=True)
            return text.splitlines()

    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    # Of the real programs only those of a shell are left.
    monkeypatch.setenv("PATH", f"{bin_folder}:/tmp/nowhere")
    for name in ("sh", "touch"):
        (bin_folder / name).symlink_to(f"/bin/{name}")
    made = Programs()
    for name, script in BRINGS.items():
        made[name] = script
    return made


def task(name, *archives):
    source = ArchiveDataSource(lambda split: [], ["train"], archives)
    return Task(name, source, {"targets": Feature(ByteVocabulary())})


def mixture(*tasks):
    return Mixture("all", [(one, 1.0) for one in tasks])


ALL = mixture(task("a", PIP, INDEX), task("b", NPM), task("c", FIRST, SECOND), task("d", PIP))


def test_everything_is_fetched_once(folder, programs):
    lines = list(fetch(ALL))
    assert [line.split(":")[0] for line in lines] == ["fetched"] * 4
    assert sorted(path.name for path in folder.iterdir()) == [
        "apt",
        "four_1.deb",
        "one-1.0-any.whl",
        "three_1.deb",
        "two-2.0.tgz",
    ]
    apt = f"apt-get -c {folder}/apt/apt.conf"
    assert programs.calls() == [
        f"{apt} update",
        "pip download --no-deps one==1.0",
        "npm pack two@2.0",
        f"{apt} download three four",
    ]
    assert [line.split(":")[0] for line in fetch(ALL)] == ["there"] * 4
    assert programs.calls() == []


def test_packages_of_apt_need_its_indices_first(folder, programs):
    list(fetch(task("c", FIRST, SECOND)))
    assert [call.split()[3] for call in programs.calls()] == ["update", "download"]


def sources_of(folder):
    return (folder / "apt" / "sources.list").read_text()


def test_apt_checks_signatures_with_debians_keys_where_they_are(folder, monkeypatch, tmp_path):
    monkeypatch.setattr(debian, "_KEYRING", tmp_path / "keys.gpg")
    debian.prepare_apt(folder)
    assert sources_of(folder) == "deb http://deb.debian.org/debian bookworm main\n"
    (tmp_path / "keys.gpg").touch()
    debian.prepare_apt(folder)
    assert f"deb [signed-by={tmp_path}/keys.gpg] http" in sources_of(folder)


def test_apt_has_lists_of_its_own_and_no_root(folder, programs, monkeypatch):
    monkeypatch.setattr(debian, "_KEYRING", folder / "none")
    list(fetch(task("a", INDEX), mirror="http://mirror.example/debian"))
    settings = (folder / "apt" / "apt.conf").read_text()
    for name, where in (
        ("Dir::State", f"{folder}/apt/state"),
        ("Dir::State::Lists", f"{folder}/apt/lists"),
        ("Dir::Cache", f"{folder}/apt/cache"),
        ("Dir::Etc::SourceList", f"{folder}/apt/sources.list"),
        ("Dir::Etc::SourceParts", "/dev/null"),
        ("Acquire::GzipIndexes", "false"),
    ):
        assert f'{name} "{where}";' in settings
    assert 'Acquire::Languages { "en"; "de"; "fr"; "it"; "da"; };' in settings
    assert sources_of(folder) == "deb http://mirror.example/debian bookworm main\n"
    assert INDEX.text() == "text\n"


def test_what_fails_is_told_with_its_reason_and_the_rest_is_fetched(folder, programs):
    programs["pip"] = 'echo "ERROR: No matching version" >&2; echo "[notice] new pip" >&2; exit 3'
    lines = []
    with pytest.raises(UserError) as raised:
        lines.extend(fetch(ALL))
    message = str(raised.value)
    assert message.startswith("1 of 4 downloads failed: one-1.0-*.whl: `pip download --no-deps")
    assert "ended with 3: ERROR: No matching version." in message
    assert "These tasks lack them: a, d." in message
    assert NPM.is_there()
    assert SECOND.is_there()
    programs.calls()
    programs["pip"] = BRINGS["pip"]
    list(fetch(ALL))
    assert programs.calls() == ["pip download --no-deps one==1.0"]


@pytest.mark.parametrize(
    ("archive", "program", "whence"),
    [(NPM, "npm", "Node.js"), (FIRST, "apt-get", "Debian")],
)
def test_a_program_that_is_not_there_is_named(archive, program, whence, folder, programs):
    os.unlink(os.path.join(os.environ["PATH"].split(":")[0], program))
    with pytest.raises(UserError, match=f"'{program}' is not installed; .*{whence}"):
        list(fetch(task("b", archive)))


def test_without_pip_on_the_path_that_of_this_python_serves(folder, programs, monkeypatch):
    path = os.path.join(os.environ["PATH"].split(":")[0], "pip")
    monkeypatch.setattr("sys.executable", path)
    os.rename(path, f"{path}-of-python")
    monkeypatch.setattr("sys.executable", f"{path}-of-python")
    list(fetch(task("a", PIP)))
    assert programs.calls() == ["pip -m pip download --no-deps one==1.0"]


def test_a_program_that_brings_something_else_is_told(folder, programs):
    programs["npm"] = "touch three-3.0.tgz"
    with pytest.raises(UserError, match=r"`npm pack two@2.0` brought no 'two-2.0.tgz'"):
        list(fetch(task("b", NPM)))


def test_nothing_half_written_stays(folder, programs):
    programs["npm"] = "echo half > two-2.0.tgz; kill -9 $$"
    with pytest.raises(UserError, match="ended with -9: it said nothing"):
        list(fetch(task("b", NPM)))
    assert list(folder.iterdir()) == []


def test_what_a_killed_one_left_goes_after_a_day(folder, programs):
    for name, age in (("old", 2), ("new", 0)):
        left = folder / f".fetching-{name}"
        left.mkdir(parents=True)
        os.utime(left, (time.time() - age * 86400,) * 2)
    list(fetch(task("b", NPM)))
    assert sorted(path.name for path in folder.iterdir()) == [".fetching-new", "two-2.0.tgz"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path, programs, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("T2T_DATA_DIR", str(tmp_path / "file" / "data"))
    with pytest.raises(UserError, match=r"Cannot write to the data folder .*T2T_DATA_DIR"):
        list(fetch(ALL))
    assert programs.calls() == []


def test_what_is_installed_is_not_fetched(folder, programs):
    installed = Archive("pip download --no-deps pytest", "pytest-*.whl", "pytest")
    assert [line[:5] for line in fetch(task("a", installed))] == ["there"]
    assert programs.calls() == []


def test_tasks_without_packages_have_nothing_to_fetch(folder):
    source = InMemoryDataSource({"train": []})
    plain = Task("plain", source, {"targets": Feature(ByteVocabulary())})
    with pytest.raises(UserError, match="no task of 'plain' reads packages"):
        list(fetch(plain))


def test_everyday_reads_packages_of_pip_and_apt():
    programs = {
        archive.fetch.split()[0] for archive in archives_of(get_mixture_or_task("everyday"))
    }
    assert programs == {"pip", "apt-get", "t2t"}


def test_the_command(folder, programs, capsys):
    programs["apt-get"] = 'echo "E: no network" >&2; exit 100'
    assert main(["fetch", "debian_synopsis", "bible_modern"]) == 1
    shown = capsys.readouterr()
    assert shown.out.startswith("FAILED:  apt/lists/*_bookworm_main_binary-amd64_Packages, ")
    assert "2 of 2 downloads failed: " in shown.err
    assert "E: no network" in shown.err
    assert "Traceback" not in shown.err
    assert main(["fetch", "everydya"]) == 1
    assert "everyday" in capsys.readouterr().err


def test_the_command_takes_no_bindings(capsys):
    assert main(["fetch", "everyday", "--gin.X=1"]) == 1
    assert "--gin.X=1" in capsys.readouterr().err
