"""Text that any terminal, page and file can take, whatever letters a stranger's name holds."""


def printable(text: str) -> str:
    """Return the text with what no one line of UTF-8 can show written as an escape: line ends, NUL, lone surrogates.

    A byte of a file's name that is not UTF-8 becomes `\\xff`, as Python has it in bytes.
    """
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    # The operating system's bytes that are not UTF-8 come as surrogates from U+DC80 on (PEP 383).
    byte = ord(letter) - 0xDC00
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else letter.encode("unicode_escape").decode("ascii")
