"""From the bytes of records to columns of rows; `schemas.codec` is the door."""
