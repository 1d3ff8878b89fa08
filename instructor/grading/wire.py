"""Messages between the grader and the box. What arrives is never unpickled, evaluated, or trusted in type or size.

A message is a frame: two lengths, a JSON header, and raw buffers for its arrays. Values that travel are None, bool,
int, float, str, numeric arrays and tensors, tuples, lists and dicts of these. Everything else stays at home: a
function, an environment, a network or a policy is sent as a handle, and using it calls back to where it lives.

This file runs on both sides; it imports nothing of the course.
"""

from __future__ import annotations

import json
import re
import struct
import sys
from itertools import count
from time import process_time

import numpy as np

LENGTHS = struct.Struct("<QI")  # bytes after this, and how many of them are the header
MOST = 64 * 2**20  # bytes of a message
DEEP = 12  # levels in a value
NESTED = 40  # calls within calls
DTYPE = re.compile(r"[<>|=]?[biufc]\d{1,2}")
NAME = re.compile(r"[A-Za-z]\w{0,60}", re.ASCII)


class BadMessage(Exception):
    """What arrived is no message."""


class Closed(Exception):
    """The other side is gone."""


class Foreign:
    """Something that was returned and is neither data nor callable. Its class has the name of its type at home."""


class Raises(Exception):
    """Something raised at home: args are (kind, text, where, line)."""


# ---- values


def pack(value, buffers: list, home, level: int = 0):
    """The JSON form of a value; arrays go to `buffers`, and `home(value)` numbers what stays here."""
    if level > DEEP:
        raise BadMessage(f"a value with more than {DEEP} levels")
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) in (tuple, list):
        whole = _numbers(value) if level and len(value) else None
        if whole is not None:
            return _array("array", whole, buffers)
        return {"is": type(value).__name__, "of": [pack(x, buffers, home, level + 1) for x in value]}
    if type(value) is dict and all(type(key) is str for key in value):
        return {"is": "dict", "of": [[key, pack(x, buffers, home, level + 1)] for key, x in value.items()]}
    if isinstance(value, np.ndarray) or isinstance(value, np.generic):
        numbers = _numbers(value)
        kind = "number" if isinstance(value, np.generic) else "array"
        return {"is": "other", "name": f"array of {value.dtype}"} if numbers is None else _array(kind, numbers, buffers)
    if hasattr(value, "detach") and hasattr(value, "requires_grad") and not callable(value):
        return _array("tensor", value.detach().cpu().numpy(), buffers)
    numbers = None if callable(value) else _numbers(value)
    if numbers is not None:
        return _array("array", numbers, buffers)
    if callable(value) or _methods(value):
        name = getattr(value, "__name__", None)
        return {
            "is": "handle",
            "number": home(value),
            "name": type(value).__name__ if not isinstance(name, str) else name[:60],
            "call": callable(value),
            "methods": _methods(value)[:200],
        }
    return {"is": "other", "name": type(value).__name__[:60]}


def _methods(value) -> list:
    names = (name for name in dir(type(value)) if NAME.fullmatch(name))
    return [name for name in names if callable(getattr(type(value), name, None))]


def _numbers(value):
    """value as an array of numbers, or None."""
    try:
        array = np.asarray(value)
    except Exception:  # whatever an object does when it is asked for its numbers
        return None
    return array if array.dtype.kind in "biufc" else None


def _array(kind, array, buffers):
    if array.dtype.itemsize > 8 and array.dtype.kind == "f":
        array = array.astype(float)
    buffers.append(np.ascontiguousarray(array).tobytes())
    return {"is": kind, "dtype": array.dtype.str, "shape": list(array.shape)}


def unpack(plain, buffers, away, level: int = 0):
    """The value of a JSON form; `away(number, name, call, methods)` makes what stands for something over there."""
    if level > DEEP:
        raise BadMessage(f"a value with more than {DEEP} levels")
    if plain is None or type(plain) in (bool, int, float, str):
        return plain
    try:
        kind = plain["is"]
        if kind in ("tuple", "list"):
            return (tuple if kind == "tuple" else list)(unpack(x, buffers, away, level + 1) for x in plain["of"])
        if kind == "dict":
            return {str(key): unpack(x, buffers, away, level + 1) for key, x in plain["of"]}
        if kind in ("array", "number", "tensor"):
            return _unpack_array(kind, plain["dtype"], plain["shape"], next(buffers))
        names = [name for name in plain.get("methods", []) if NAME.fullmatch(name)]
        name = re.sub(r"[^\w. ]", "", str(plain["name"]))[:60] or "object"
        if kind == "handle" and type(plain["number"]) is int:
            return away(plain["number"], name, plain["call"] is True, names)
        if kind == "other":
            return type(name, (Foreign,), {})()
    except (TypeError, KeyError, ValueError, AttributeError, StopIteration, MemoryError) as error:
        raise BadMessage(f"no value: {type(error).__name__}") from None
    raise BadMessage("no value: unknown kind")


def _unpack_array(kind, dtype, shape, buffer):
    if not DTYPE.fullmatch(dtype) or len(shape) > 32 or not all(type(n) is int and 0 <= n < 2**40 for n in shape):
        raise ValueError("no array")
    array = np.frombuffer(buffer, dtype=dtype).reshape(shape).copy()
    if kind == "tensor" and (torch := sys.modules.get("torch")):
        return torch.from_numpy(array)
    return array[()] if kind == "number" else array


# ---- frames


def frame(header: dict, buffers: list) -> bytes:
    text = json.dumps(header | {"sizes": [len(b) for b in buffers]}).encode()
    whole = b"".join([LENGTHS.pack(len(text) + sum(map(len, buffers)), len(text)), text, *buffers])
    if len(whole) > MOST:
        raise BadMessage(f"a message of {len(whole) / 2**20:.0f} MB, expected at most {MOST / 2**20:.0f} MB")
    return whole


def receive(read) -> tuple:
    """(header, buffers) of the next frame. read(n) gives exactly n bytes, or raises Closed."""
    total, length = LENGTHS.unpack(read(LENGTHS.size))
    if total > MOST or length > total:
        raise BadMessage(f"a message of {total / 2**20:.0f} MB, expected at most {MOST / 2**20:.0f} MB")
    body = memoryview(read(total))
    try:
        header = json.loads(bytes(body[:length]))
        sizes = header.pop("sizes")
        if not all(type(n) is int and n >= 0 for n in sizes) or sum(sizes) != total - length:
            raise ValueError("sizes that do not add up")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadMessage(f"no header: {type(error).__name__}") from None
    buffers, at = [], length
    for n in sizes:
        buffers.append(body[at : at + n])
        at += n
    return header, buffers


# ---- a conversation


class Line:
    """One end of a conversation: ask(), and while the answer is awaited, serve what the other side asks.

    read(n) and write(bytes) do the transport. `quota` limits the calls that the other side may make: None for the side
    that does not mind. `spent` adds up the processor time that they took here.
    """

    def __init__(self, read, write, quota=None):
        self.read, self.write, self.quota = read, write, quota
        self.handed_out, self.numbers, self.level, self.spent, self.asked = {}, count(), 0, 0.0, 0

    def forget(self):
        """Nothing that was handed out before can be called any more."""
        self.handed_out.clear()

    def home(self, value) -> int:
        number = next(self.numbers)
        self.handed_out[number] = value
        return number

    def away(self, number, name, call, methods):
        return remote(self, number, name, call, methods)

    def pack(self, values: dict) -> tuple:
        """Named values, as the JSON form and buffers of a message."""
        buffers = []
        return {key: pack(x, buffers, self.home) for key, x in values.items()}, buffers

    def send(self, do: str, values: dict = None, **plain):  # plain goes as it is
        packed, buffers = self.pack(values or {})
        self.write(frame({"do": do, "values": packed} | plain, buffers))

    def next(self) -> tuple:
        """The next message: (header, values)."""
        header, buffers = receive(self.read)
        if type(header.get("do")) is not str or type(header.get("values")) is not dict:
            raise BadMessage("no message")
        rest = iter(buffers)
        return header, {key: unpack(x, rest, self.away) for key, x in header.pop("values").items()}

    def ask(self, do: str, values: dict = None, **plain) -> tuple:
        """Send a request and return the reply, serving the other side's calls meanwhile.

        Requests are numbered: what answers another one was said unasked, perhaps by a second process.
        """
        self.asked += 1
        number = self.asked
        self.send(do, values, to=number, **plain)
        while True:
            header, values = self.next()
            if header["do"] == "call":
                self.serve(header, values)
            elif header.get("to") == number:
                return header, values
            else:
                raise BadMessage("an answer to something else")

    def serve(self, header, values):
        """Call what was handed out, and send back what it returns or raises."""
        if self.quota is not None:
            self.quota -= 1
            if self.quota < 0:
                raise BadMessage("too many calls back to the grader")
        self.level, start = self.level + 1, process_time()
        try:
            if self.level > NESTED:
                raise RecursionError("calls within calls within calls")
            value = self.run(header, values.get("args", ()))
            self.send("returned", {"value": value}, to=header.get("to"))
        except (BadMessage, Closed):
            raise
        except Exception as error:
            said = (error.args + ("", "", "", ""))[:4] if isinstance(error, Raises) else _said(error)
            self.send("raised", said=[str(x)[:500] for x in said], to=header.get("to"))
        finally:
            self.level -= 1
            self.spent += process_time() - start if self.level == 0 else 0.0

    def run(self, header, args):
        """Call something that was handed out, or one of the methods of its type."""
        thing, method = self.handed_out.get(header.get("number")), header.get("method")
        if method is None:
            return thing(*args)
        if type(method) is not str or not NAME.fullmatch(method) or not callable(getattr(type(thing), method, None)):
            raise BadMessage("no method")
        return getattr(thing, method)(*args)

    def call(self, number, method, args):
        """Call something that lives on the other side."""
        header, values = self.ask("call", {"args": tuple(args)}, number=number, method=method)
        if header["do"] == "raised":
            said = header.get("said")
            good = type(said) is list and len(said) == 4 and all(type(x) is str for x in said)
            raise Raises(*(x[:500] for x in said)) if good else BadMessage("no exception")
        if header["do"] != "returned":
            raise BadMessage("a call was answered by something else")
        return values.get("value")


def _said(error):
    return type(error).__name__, str(error), "", ""


def remote(line: Line, number: int, name: str, call: bool, methods: list):
    """An object that stands for one on the other side: it can be called if that can, and has its methods."""

    def __deepcopy__(self, memo):
        return self  # there is one of it, over there

    def method(its_name):
        return lambda self, *args: line.call(number, its_name, args)

    body = {its_name: method(its_name) for its_name in methods} | {"__deepcopy__": __deepcopy__, "__module__": "box"}
    if call:
        body["__call__"] = method(None)
    return type(name, (), body)()
