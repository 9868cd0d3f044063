"""Energy and carbon of device-hours, from a stated power, a stated overhead and a stated grid."""

from __future__ import annotations

from allometry.errors import InputError
from allometry.planning.devices import Device
from allometry.planning.quantities import Quantity, stated, within

# Power of devices in training was 15% to 85% of the design power: Morrison et al. 2025, arXiv:2503.05804.
_LEAST_SHARE_OF_POWER = 0.15
PUE = within(
    1.0, 1.1, 1.6, "1", "assumed overhead of the site (PUE): 1.1 as in Touvron et al. 2023, arXiv:2302.13971"
)


def device_power(device: Device, watts: float | Quantity | None = None) -> Quantity:
    """What one device draws in training, in watts.

    Args:
        watts: Measured power. Without it the design power counts, as in public model cards, as the upper end
            of a wide range: a device in training draws less.

    Raises:
        InputError: If the power is neither given nor known, or not above zero.

    >>> from allometry.planning.devices import DEVICES
    >>> device_power(DEVICES["a100-sxm-80gb"]).show()
    '400 (60 to 400) W'
    >>> device_power(DEVICES["a100-sxm-80gb"], 310).origin
    'power of one device, given'
    """
    if watts is not None:
        return stated(watts, "W", "power of one device")
    design = device.design_power()
    origin = f"design power of {device.title} as the upper end, 15% of it as the lower ({design.origin})"
    return within(_LEAST_SHARE_OF_POWER * design.value, design.value, design.value, "W", origin)


def site_energy(device_hours: Quantity, power: Quantity, pue: float | Quantity | None = None) -> Quantity:
    """Energy that a site takes up for so many device-hours, in kWh.

    Args:
        power: Of one device, in watts.
        pue: Energy of the whole site over that of its devices; 1 for the devices alone.

    Raises:
        InputError: If pue is below 1.

    LLaMA 65B as its authors count it, 449 MWh:

    >>> from allometry.planning.quantities import exactly
    >>> hours = exactly(1_022_362, "device-hour", "Touvron et al. 2023, table 15")
    >>> site_energy(hours, exactly(400, "W", "design power"), pue=1.1).show()
    '4.5e+05 kWh'
    """
    overhead = PUE if pue is None else stated(pue, "1", "overhead of the site (PUE)")
    if overhead.value < 1:
        raise InputError(f"A site takes at least the energy of its devices: a PUE is 1 or more, not {pue}.")
    return device_hours.times(power, "Wh").times(overhead, "Wh").scaled(1e-3, "kWh")


def grid_carbon(energy: Quantity, kg_per_kwh: float | Quantity) -> Quantity:
    """Carbon of the electricity, in kg of CO2 equivalent; making the devices is not in it.

    Args:
        kg_per_kwh: Intensity of the grid that is used: 0.02 to 0.06 in France or Sweden, 0.4 in the United
            States, 0.8 where coal burns. There is no default, because no country is a fair guess.

    GPT-3, 1287 MWh on a grid of 0.429:

    >>> from allometry.planning.quantities import exactly
    >>> grid_carbon(exactly(1_287_000, "kWh", "Patterson et al. 2021, arXiv:2104.10350"), 0.429).value
    552123.0
    """
    return energy.times(stated(kg_per_kwh, "kg/kWh", "carbon of the grid"), "kgCO2e")
