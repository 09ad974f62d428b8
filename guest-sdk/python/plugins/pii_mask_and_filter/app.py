"""Makes the plugin the component's."""

from plugin import PiiMaskAndFilter
from sluice_guest.export import export_transform

Transform = export_transform(PiiMaskAndFilter)
