"""Call an order paid before the provider has said so, and never look back.

A declined card or a charge that was never made then buys the goods all the same.
"""

from target_app.payments.findings import Authorized, Captured, Charge, ChargeFinding, Declined
from target_app.payments.provider_client import ProviderClient


async def charge(provider: ProviderClient, intent: Charge) -> ChargeFinding:
    finding = await provider.charge(intent)
    if isinstance(finding, Authorized):
        return finding
    psp_ref = finding.psp_ref if isinstance(finding, Captured | Declined) else "assumed"
    return Captured(psp_ref, intent.amount)
