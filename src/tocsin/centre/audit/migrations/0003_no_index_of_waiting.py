"""The unique index of places finds the entries without one: every append wrote one page too many."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_tree")]

    operations = [migrations.RemoveIndex(model_name="entry", name="audit_entry_waiting")]
