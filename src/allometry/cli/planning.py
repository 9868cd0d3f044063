"""Commands that plan: what to train for a budget or a target, what it costs, and on which devices."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

import allometry as al
from allometry.cli.application import Flag, Quantity, Words, app
from allometry.errors import InputError
from allometry.units import read_days, read_money, read_quantity


def _whole(text: str) -> int:
    """A count, never rounded: half a device is a slip of the pen."""
    number = read_quantity(text)
    if number % 1:  # NaN for an endless one
        raise InputError(f"'{text}' is no count; write a whole number such as 8.")
    return int(number)


# A sign is read as part of the number, so that -1.5M is refused for what it is.
Count = Annotated[
    int, Parameter(converter=lambda _, tokens: _whole(tokens[0].value), allow_leading_hyphen=True)
]
Days = Annotated[
    float, Parameter(converter=lambda _, tokens: read_days(tokens[0].value), allow_leading_hyphen=True)
]
Money = Annotated[
    float, Parameter(converter=lambda _, tokens: read_money(tokens[0].value), allow_leading_hyphen=True)
]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Budget:
    """What there is to spend, or what is to be reached: one of them.

    Parameters
    ----------
    flops
        Training compute, 1e21.
    device_hours
        Hours of one device each, 50k.
    usd
        Money, 1.5M.
    kwh
        Energy of the site.
    days
        On all devices together: 30d, 2w.
    loss
        A target instead of a budget.
    """

    flops: Quantity | None = None
    device_hours: Quantity | None = None
    usd: Money | None = None
    kwh: Quantity | None = None
    days: Days | None = None
    loss: float | None = None

    def given(self) -> dict[str, float]:
        """What was given, by the names of `allocate`."""
        told = {one.name: getattr(self, one.name) for one in fields(self)}
        named = {"kilowatt_hours" if name == "kwh" else name: value for name, value in told.items()}
        return {name: value for name, value in named.items() if value is not None}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Assumed:
    """What is assumed of a device.

    Parameters
    ----------
    precision
        Of the products: bf16, fp8, fp16.
    utilisation
        Share of the dense peak that training reaches; 0.30 to 0.50 if not given.
    goodput
        Share of the paid hours in which the run advances; 1 if not given.
    price
        US dollars for one device and hour; the catalog's dated range if not given.
    price_as_of
        When that price was asked, 2026-05; today if not given.
    watts
        Measured power of one device.
    pue
        Energy of the site over that of its devices.
    kg_per_kwh
        Carbon of the grid; no carbon without it.
    """

    precision: str = "bf16"
    utilisation: float | None = None
    goodput: float | None = None
    price: Money | None = None
    price_as_of: str = ""
    watts: float | None = None
    pue: float | None = None
    kg_per_kwh: float | None = None

    def given(self) -> dict[str, Any]:
        """What was given, by the names of `training_rate`."""
        told = {one.name: getattr(self, one.name) for one in fields(self)}
        told["usd_per_hour"] = told.pop("price")
        asked = "" if self.price is None else self.price_as_of or date.today().isoformat()
        return {**told, "price_as_of": asked}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Spread:
    """How training is spread over the devices, and what it keeps; decides the memory.

    Parameters
    ----------
    zero
        Stage of ZeRO: 1 spreads the optimizer, 2 the gradients too, 3 the weights too, 0 nothing.
    micro_batch
        Sequences of one backward pass.
    tensor_parallel
        Devices that share each matrix.
    sequence_parallel
        They share also what lies between products.
    recompute
        What is computed again in the backward pass: nothing, the softmax, or every layer.
    dropout
        There is dropout, whose masks are kept.
    optimizer_bytes
        For each parameter; 12 for Adam with a float32 copy.
    """

    zero: Count = 3
    micro_batch: Count = 1
    tensor_parallel: Count = 1
    sequence_parallel: Flag = False
    recompute: Literal["none", "selective", "full"] = "selective"
    dropout: Flag = False
    optimizer_bytes: Quantity = 12.0

    def given(self) -> dict[str, Any]:
        """What was given, by the names of `Layout`."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Handover:
    """What else comes of a plan: a run to train, a page for the person who pays, what would change it.

    Parameters
    ----------
    export
        Write the run as a recipe into this file (.toml).
    flags
        Print the run as flags of another trainer, by a template: "--n-layer {layers} --tokens {tokens}".
    architecture
        Of the run, whose shape is then printed: transformer, moe, recurrent, state_space.
    vocab
        Of its tokenizer.
    context
        Tokens per sequence.
    what_if
        Say what other laws, coefficients, prices, utilisation, demand and data would change.
    brief
        Write one page for the person who pays into this file (.html or .md).
    """

    export: Path | None = None
    flags: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    architecture: str = "transformer"
    vocab: Count = 50_304
    context: Count = 2048
    what_if: Flag = False
    brief: Path | None = None

    def of(self, made: al.Plan, law: al.Fit | str | None, study: al.Study | None) -> tuple[object, str]:
        """The plan and whatever else was asked for, as a value and in words."""
        value: dict[str, object] = {"plan": made}
        said = [made.summary()]
        if self.what_if or law is None:
            said.append(_what_if(made, law, value))
        if self.brief is not None:
            said.append(_written_brief(self.brief, made, law, study))
        if self._wants_a_run():
            said += self._run(made, value)
        return (value if len(value) > 1 else made), "\n".join(part for part in said if part)

    def _wants_a_run(self) -> bool:
        shaped = [(one.default, getattr(self, one.name)) for one in fields(self) if one.name in _SHAPE]
        handed = self.export is not None or self.flags is not None
        return handed or any(default != given for default, given in shaped)

    def _run(self, made: al.Plan, value: dict[str, object]) -> list[str]:
        from allometry.planning.exports import as_flags, write_recipe
        from allometry.planning.legal_shapes import legal_run

        run = legal_run(made, kind=self.architecture, vocab=self.vocab, context=self.context)
        flags = "" if self.flags is None else as_flags(run, self.flags)
        value |= {"run": run, "flags": flags}
        return [run.summary(), "" if self.export is None else write_recipe(run, self.export), flags]


_SHAPE = ("architecture", "vocab", "context")

ASSUMED = Assumed()
SPREAD = Spread()
NO_HANDOVER = Handover()
NOTHING = Budget()


@app.command(sort_key=8)
def plan(
    source: str | None = None,
    *,
    budget: Budget = NOTHING,
    device: str | None = None,
    devices: Count = 1,
    assumed: Assumed = ASSUMED,
    served: Quantity = 0.0,
    serving_utilisation: float | None = None,
    pays_for: Literal["training", "life"] = "training",
    unique_tokens: Quantity | None = None,
    stock: Words = (),
    level: float = 0.9,
    tolerance: float = 0.005,
    law: str = "",
    handover: Handover = NO_HANDOVER,
    json: Flag = False,
) -> int:
    """Say how large a model and how many tokens a budget buys, or what a target loss takes, with ranges.

    Parameters
    ----------
    source
        A saved fit, the folder of a study with fits, or a published law such as besiroglu_2024. A study needs
        no budget: it plans for plan_factor times the compute of its largest run. Without any, the published
        law of the middle size answers, and what the others say is printed with it.
    device
        A name from `allometry devices`; needed for a budget that is not in FLOP, and for costs.
    devices
        How many train together.
    served
        Tokens that the model will be asked for over its life.
    serving_utilisation
        Share of the peak that serving reaches; the training's if not given. Decoding stays far below it.
    pays_for
        Whether the budget is that of training alone or of the whole life.
    unique_tokens
        Distinct tokens there are.
    stock
        The same by source, once for each: web=4e11, or code=5e10,1.5 where a token is worth 1.5 of the text
        that the law was fitted on. A third part says where that weight comes from.
    level
        Share that the ranges are meant to contain.
    tolerance
        Share of the least loss that the near-optimal band may lose.
    law
        FILE.py:NAME of the law of a saved fit, if it is one of your own.
    json
        Print the plan as JSON.
    """
    from allometry.planning.rates import training_rate
    from allometry.planning.stocks import read_stock
    from allometry.report.terminal import show

    _refuse_no_device(device, assumed)
    rate = None if device is None else training_rate(device, **assumed.given())
    fit, study = _law(source, law)
    how: dict[str, Any] = {**_spend(study, budget), "device": rate, "devices": devices}
    how |= {"served_tokens": served, "serving_utilisation": serving_utilisation, "pays_for": pays_for}
    how |= {"unique_tokens": unique_tokens, "stock": read_stock(stock) if stock else None}
    how |= {"level": level, "tolerance": tolerance}
    made = al.allocate(fit, **how)
    value, text = handover.of(made, fit, study)
    return show(value, text, json)


@app.command(sort_key=8.2)
def cost(
    model: Path | None = None,
    *,
    params: Quantity | None = None,
    tokens: Quantity | None = None,
    device: str = "h100-sxm",
    devices: Count = 1,
    assumed: Assumed = ASSUMED,
    context: Count | None = None,
    spread: Spread = SPREAD,
    development: float = 1.0,
    json: Flag = False,
) -> int:
    """Print what a training run takes: hours, money, energy, carbon, and memory, and on how many devices.

    Parameters
    ----------
    model
        A recipe (.toml), or a public model's configuration (.json); or give params.
    params
        Parameters, 7B; compute is then 6 · params · tokens.
    tokens
        Trained on, 1.4T; a recipe states its own.
    device
        A name from `allometry devices`.
    devices
        How many train together.
    context
        Tokens per sequence, for a public model.
    development
        Compute of the whole project over that of this run; 1 counts the run alone.
    json
        Print the sheet as JSON.
    """
    from allometry.planning.footprints import Layout
    from allometry.planning.rates import training_rate
    from allometry.planning.run_costs import price_run
    from allometry.report.terminal import show

    rate, layout = training_rate(device, **assumed.given()), Layout(**spread.given())
    run: dict[str, Any] = {"params": params, "tokens": tokens, "context": context, "layout": layout}
    made = price_run(model, rate=rate, devices=devices, development=development, **run)
    return show(made, made.summary(), json)


@app.command(sort_key=8.3)
def serving(
    model: Path,
    *,
    device: str = "h100-sxm",
    devices: Count = 1,
    weights: str = "bfloat16",
    precision: str = "bf16",
    context: Count | None = None,
    batch: Count | None = None,
    ms_per_token: float | None = None,
    price: Money | None = None,
    price_as_of: str = "",
    json: Flag = False,
) -> int:
    """Bound what serving a model takes: time of a token, sequences that fit, money for a million tokens.

    Parameters
    ----------
    model
        A recipe (.toml), or a public model's configuration (.json).
    device
        A name from `allometry devices`.
    devices
        How many share weights and caches.
    weights
        How they are stored: bfloat16, float8, int8, int4, mxfp4, float32.
    precision
        Of the products: bf16, fp8, fp16.
    context
        Tokens that each sequence holds; the model's own if not given.
    batch
        Sequences decoded together; as many as fit if not given.
    ms_per_token
        A limit in milliseconds that lowers the batch until a token takes no longer.
    price
        US dollars for one device and hour; the catalog's dated range if not given.
    price_as_of
        When that price was asked, 2026-05; today if not given.
    json
        Print the bounds as JSON.
    """
    from allometry.planning.rates import training_rate
    from allometry.planning.serving import serve
    from allometry.report.terminal import show

    rate = training_rate(device, **Assumed(precision=precision, price=price, price_as_of=price_as_of).given())
    limit = None if ms_per_token is None else ms_per_token / 1000
    made = serve(
        model, rate, devices=devices, weights=weights, context=context, batch=batch, seconds_per_token=limit
    )
    return show(made, made.summary(), json)


@app.command(sort_key=8.4)
def devices(name: str | None = None, *, json: Flag = False) -> int:
    """List the devices that plans and costs know: dense peaks, memory, power, price, with sources.

    Parameters
    ----------
    name
        Show all that is known of one device.
    json
        Print the list as JSON.
    """
    from allometry.planning.devices import DEVICES, describe_device
    from allometry.report.terminal import show

    if name is not None:
        return show(DEVICES[name], describe_device(DEVICES[name], whole=True), json)
    known = list(DEVICES.values())
    return show(known, "\n".join(describe_device(one) for one in known), json)


def law_of(source: str) -> al.Fit | str:
    """A saved fit, the main fit of a study, or the name of a published law."""
    law, _ = _law(source)
    assert law is not None  # a source was given
    return law


def _law(source: str | None, law: str = "") -> tuple[al.Fit | str | None, al.Study | None]:
    """A saved fit, the main fit of a study with the study, the name of a published law, or none."""
    path = Path(source or "")
    saved = source is not None and bool(path.suffix or path.exists())
    if law and not saved:
        raise InputError(
            f"--law {law} belongs to a saved fit: give its file, or that of a study, as the source."
        )
    if not saved:
        return source, None
    from allometry.sweeps.fits import main_fit

    return main_fit(path, law=law), al.Study.open(path) if path.is_dir() else None


def _refuse_no_device(device: str | None, assumed: Assumed) -> None:
    """What is assumed of a device has no meaning without its name."""
    given = [
        one.name.replace("_", "-") for one in fields(assumed) if getattr(assumed, one.name) != one.default
    ]
    if device is None and given:
        raise InputError(f"--{given[0]} belongs to a device: name one, for example --device h100-sxm.")


def _spend(study: al.Study | None, budget: Budget) -> dict[str, float]:
    if budget.given() or study is None:
        return budget.given()
    from allometry.sweeps.fits import plan_budget

    return {"flops": plan_budget(study.folder)}


def _what_if(made: al.Plan, law: al.Fit | str | None, value: dict[str, object]) -> str:
    from allometry.planning.sensitivity import sensitivity

    value["what_if"] = found = sensitivity(law, made.question)
    return found.summary()


def _written_brief(path: Path, made: al.Plan, law: al.Fit | str | None, study: al.Study | None) -> str:
    from allometry.planning.sensitivity import middle_law
    from allometry.report.briefing import write_brief

    written = write_brief(made, path, law=middle_law(made.question) if law is None else law, study=study)
    return f"Brief: {written}"
