"""The JavaScript that draws charts, bundled once per machine and version.

Bundling takes some seconds of a processor, more than all the rest of a report, and comes to the
same each time; so it is kept in the user's cache folder (`XDG_CACHE_HOME`), where that can be.
"""

import importlib.metadata
from contextlib import suppress
from functools import cache
from hashlib import sha256
from typing import Final

import vl_convert
from platformdirs import user_cache_path

from doorbuster.rundir import write_whole

_EXPORTED: Final = "window.vegaEmbed = vegaEmbed;"


@cache
def drawing_javascript() -> str:
    """Return it, to stand inside a script element: nothing in it ends that early."""
    kept = user_cache_path("doorbuster") / _name()
    with suppress(OSError, UnicodeDecodeError):
        digest, _, javascript = kept.read_text(encoding="utf-8").partition("\n")
        if digest == _digest(javascript):
            return javascript
    bundled = vl_convert.javascript_bundle(_EXPORTED)
    javascript = bundled.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    with suppress(OSError):  # no place to keep it: the next report takes longer, that is all
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, f"{_digest(javascript)}\n{javascript}")
    return javascript


def _name() -> str:
    version = importlib.metadata.version("vl-convert-python")
    return f"charts-{version}-{_digest(_EXPORTED)[:8]}.js"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
