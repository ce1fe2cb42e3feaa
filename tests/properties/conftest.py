"""Profiles of the property tests: ``ci`` for every run, ``thorough`` for a long night.

Choose with ``HYPOTHESIS_PROFILE=thorough``. No deadline: a projection on a busy machine is slow, not wrong.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

_QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large)

# Not Phase.explain: its tracer looks for files in the middle of a projection, which nobody may there.
_PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink)

settings.register_profile(
    "ci", max_examples=60, deadline=None, print_blob=True, suppress_health_check=_QUIET, phases=_PHASES
)
settings.register_profile("thorough", parent=settings.get_profile("ci"), max_examples=3000)
settings.register_profile("unshrunk", parent=settings.get_profile("ci"), phases=_PHASES[:3])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
