"""What the user can mend; the message is all that is printed of it."""


class InputError(Exception):
    """Form: where: expected what, got what."""
