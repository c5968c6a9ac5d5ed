"""Settings of the tests that draw their examples."""

from hypothesis import HealthCheck, settings

# A property is about values, not about time: on a busy machine the usual deadline of 200 ms for
# one example, and the check that examples are drawn fast, fail by chance.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("patient")
