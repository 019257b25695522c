"""The validated configuration.

Plugins of pydantic are off: one that another package installed would see every value, secrets among them.
"""

import os

os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"  # read at the first import of pydantic's models
