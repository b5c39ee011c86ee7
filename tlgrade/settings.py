"""What boxes are made with: limits, and what a notebook may see."""

from dataclasses import asdict, dataclass, field, fields


@dataclass(frozen=True)
class Limits:
    """What one notebook may use.

    Attributes:
        wall: Seconds for the whole notebook, kept by the grader and not by the kernel.
        cpu: Seconds of processor for one process.
        memory: Bytes of real memory of all processes together, watched from outside.
        address_space: Bytes of virtual memory of one process; frameworks reserve far more than they use.
        processes: Processes and threads together.
        open_files: Open files of one process.
        file_bytes: The size of one file.
        scratch_bytes: All files in the home folder. They are in memory, beyond `memory`.
        shared_bytes: All files in /tmp, and again in /dev/shm.
        artefact_bytes: All artefacts together.
        output_bytes: All that the notebook prints and shows.
        function_wall: Seconds for one function that a task asks for.
    """

    wall: float = 900
    cpu: int = 1800
    memory: int = 4 << 30
    address_space: int = 32 << 30
    processes: int = 256
    open_files: int = 1024
    file_bytes: int = 1 << 30
    scratch_bytes: int = 512 << 20
    shared_bytes: int = 256 << 20
    artefact_bytes: int = 32 << 20
    output_bytes: int = 32 << 20
    function_wall: float = 10


@dataclass(frozen=True)
class BoxSettings:
    """What a box is made with.

    Attributes:
        limits: What a notebook may use.
        lab_data: The folder with the lab's images and without their labels; None where a lab has none.
        weights: A folder of pretrained weights, which the box sees as `TLHELPERS_DATA/weights`; or None.
        boxed: False runs without a box, for submissions that are trusted.
        threads: Threads of numerical libraries.
        fork: Fork kernels from a process that has imported the framework already.
        secret: Folders that no box may see, such as those of submissions and of results.
    """

    limits: Limits = field(default_factory=Limits)
    lab_data: str | None = None
    weights: str | None = None
    boxed: bool = True
    threads: int = 1
    fork: bool = True
    secret: tuple[str, ...] = ()

    def to_json(self) -> dict:
        """As JSON has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict) -> "BoxSettings":
        """The inverse of `to_json`."""
        return cls(**{**values, "limits": Limits(**values["limits"]), "secret": tuple(values["secret"])})


def limits_from(**given) -> Limits:
    """Limits with some values given; None leaves the default."""
    known = {entry.name for entry in fields(Limits)}
    return Limits(**{name: value for name, value in given.items() if name in known and value is not None})
