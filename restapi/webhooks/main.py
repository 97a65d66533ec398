"""The process that calls webhooks: settings -> services -> round after round.

python -m prominence.restapi.webhooks.main

One on each access point, beside the API and with its settings.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from prominence.core.errors import Rejected
from prominence.restapi.adapters.webhooks import HttpCaller
from prominence.restapi.outbox import process
from prominence.restapi.settings import RestApiSettings
from prominence.restapi.webhooks.delivery import Courier
from prominence.restapi.wiring import services_of

COMPONENT = "webhooks"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    return process.run(COMPONENT, "Calls users' programs when their jobs have ended.", _courier, arguments)


def _courier(settings: RestApiSettings) -> Courier:
    services = services_of(settings)
    if settings.webhooks is None or services.webhooks is None:
        raise Rejected.because("nothing is said of webhooks, so none is called", "webhooks")
    mine = settings.webhooks
    caller = HttpCaller(mine.allowed, mine.timeout_s, mine.ca_file)
    return Courier(services, caller, services.webhooks.secret, mine.within, mine.interval_s, time.monotonic)


if __name__ == "__main__":
    sys.exit(main())
