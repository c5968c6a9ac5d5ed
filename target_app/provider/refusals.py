"""What the provider definitely refuses.

```
RefusedError
├── KeyMismatchError       422  the key was used before, for something else
├── UnknownIntentError     404
├── AlreadyCapturedError   409  the money is taken
├── NotCapturableError     409  nothing is held
├── NotConfirmableError    409  it was closed
├── AboveAuthorizedError   422
└── NotRefundableError     409  there is no such capture, or not that much of it left
```
"""


class RefusedError(Exception):
    """A definite no; its classes say with which status and code."""

    status = 409
    code = "refused"


class KeyMismatchError(RefusedError):
    """The key was used before, for something else."""

    status = 422
    code = "key_mismatch"


class UnknownIntentError(RefusedError):
    """There is no such charge."""

    status = 404
    code = "unknown_intent"


class AlreadyCapturedError(RefusedError):
    """The money is taken; only a refund gives it back."""

    code = "already_captured"


class NotCapturableError(RefusedError):
    """Nothing is held that could be captured."""

    code = "not_capturable"


class NotConfirmableError(RefusedError):
    """The charge was closed before it was confirmed."""

    code = "not_confirmable"


class AboveAuthorizedError(RefusedError):
    """More was asked for than is held."""

    status = 422
    code = "amount_above_authorized"


class NotRefundableError(RefusedError):
    """There is no such capture, or not that much of it left."""

    code = "not_refundable"
