"""Makes the plugin the component's."""

from plugin import KeepWhere
from sluice_guest.export import export_transform

Transform = export_transform(KeepWhere)
