"""What the API answers when it cannot do what was asked."""


class ApiError(Exception):
    """A refusal with its HTTP status and Toxiproxy's words for it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
