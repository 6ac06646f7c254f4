"""The modifier of a column: what stands in the parentheses of ``tqvec(384, 4, residual)``."""

from __future__ import annotations

from dataclasses import dataclass

ROTATIONS = ("haar", "hadamard")
WIDTHS = (2, 4, 8)


@dataclass(frozen=True)
class Modifier:
    """A declaration of the type, checked as far as can be without a server."""

    dimension: int | None = None
    bits: int | None = None
    residual: bool = False
    rotation: str | None = None
    codec: str | None = None
    normalize: bool = False

    def __post_init__(self) -> None:
        if self.codec is not None:
            if self.residual or self.rotation is not None:
                raise ValueError("a codec has its own rotation and residual: leave out rotation and residual")
        elif self.dimension is None:
            if self.residual or self.rotation is not None or self.normalize:
                raise ValueError("tqvec without a dimension takes no other words: say the dimension")
        elif not 1 <= self.dimension <= 16384:
            raise ValueError(f"a tqvec has 1 to 16384 dimensions, not {self.dimension}")
        elif self.bits is None:
            if self.residual:
                raise ValueError("residual goes with a width: say bits")
        elif self.bits not in WIDTHS:
            raise ValueError(f"a tqvec has 2, 4 or 8 bits a dimension, not {self.bits}")
        if self.rotation is not None and self.rotation not in ROTATIONS:
            raise ValueError(f"a rotation is haar or hadamard, not {self.rotation}")

    def sql(self) -> str:
        """The type as SQL. A codec says dimension and width by itself."""
        if self.codec is not None:
            words = ["'" + self.codec.replace("'", "''") + "'"]
        else:
            words = [str(number) for number in (self.dimension, self.bits) if self.dimension and number]
            words += ["residual"] if self.residual else []
            words += [self.rotation] if self.rotation else []
        words += ["normalize"] if self.normalize else []
        return f"tqvec({', '.join(words)})" if words else "tqvec"

    @classmethod
    def parse(cls, words: tuple[object, ...]) -> Modifier:
        """Of the words that the catalogue shows, such as ``384, 4, residual``."""
        numbers: list[int] = []
        said: dict[str, str] = {}
        flags: set[str] = set()
        for word in (str(word).strip() for word in words):
            if word.isdecimal():
                numbers.append(int(word))
            elif word in ("residual", "normalize"):
                flags.add(word)
            elif word in ROTATIONS:
                said["rotation"] = word
            else:
                said["codec"] = word.strip("'\"")
        return cls(
            numbers[0] if numbers else None,
            numbers[1] if len(numbers) > 1 else None,
            "residual" in flags,
            said.get("rotation"),
            said.get("codec"),
            "normalize" in flags,
        )
