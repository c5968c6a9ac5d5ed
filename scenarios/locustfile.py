"""For `locust -f scenarios/locustfile.py`: the driver user, which wants an order to drive."""

from scenarios.driver import Driver

__all__ = ["Driver"]
