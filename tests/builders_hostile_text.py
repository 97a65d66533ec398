"""Text that breaks things: for shells, the submit language, ClassAds, terminals, paths and command lines."""

from __future__ import annotations

from hypothesis import strategies as st

CANARY = "/tmp/prominence-canary"

KNOWN = (
    f"$(touch {CANARY})",
    f"`touch {CANARY}`",
    f"; touch {CANARY} #",
    f"| touch {CANARY}",
    f"&& touch {CANARY}",
    f"\ntouch {CANARY}\n",
    f"' ; touch {CANARY} ; '",
    f'" ; touch {CANARY} ; "',
    f"\\'; touch {CANARY}",
    "${HOME}",
    "$HOME",
    "$(HOME)",
    "$$(Name)",
    "$$([1 + 1])",
    "$ENV(PATH)",
    "$RANDOM_INTEGER(1,9)",
    "$INT(1)",
    "$(DOLLAR)(HOME)",
    "\nqueue 100\n",
    '\n+TakenOver = true\nMy.TakenOver = "x"\n',
    "\narguments = evil\nexecutable = /bin/true\n",
    '" || true || "',
    '"; TakenOver = true; x = "',
    "\\",
    "\\\\",
    '\\"',
    "%s%n%x",
    "%00",
    "%24%28HOME%29",
    "..",
    "../../../../etc/passwd",
    "/etc/passwd",
    "~",
    "*",
    "-",
    "--",
    "-rf",
    "--help",
    "=",
    "a=b",
    "#",
    "!",
    " ",
    "  two  spaces  ",
    "\t",
    "\r\n",
    "\x01\x02\x07\x08\x0b\x0c\x1b[2J\x1b]0;title\x07\x7f",
    "\x85\u2028\u2029\u200b\u202e\ufeff",
    "é ü ß 日本語 🏳️‍🌈",
    "\U0010ffff",
    "x" * 10_000,
    "'" * 5_000 + '"' * 5_000,
    "{{ 7 * 7 }}",
    "<script>alert(1)</script>",
    "' OR 1=1 --",
)

pieces = st.sampled_from(KNOWN) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
texts = st.lists(pieces, max_size=4).map("".join)
"""What a program can be given: any text but NUL."""

variables = st.dictionaries(
    st.text(st.characters(codec="utf-8", exclude_characters="\0=\n"), min_size=1, max_size=30)
    | st.sampled_from(["$(X)", "A B", "a.b", "-x", "é", "LD_PRELOAD_", "PATH_", "BASH_FUNC_x%%", "IFS_"]),
    texts,
    max_size=20,
)

names = st.text(st.sampled_from("abzABZ019_./ -"), max_size=60)
label_keys = st.text(st.sampled_from("abzABZ019"), min_size=1, max_size=20)
label_values = st.text(st.sampled_from("abzABZ019_./-"), min_size=1, max_size=60)
labels = st.dictionaries(label_keys, label_values, max_size=6).filter(
    lambda found: len({key.lower() for key in found}) == len(found)
)
