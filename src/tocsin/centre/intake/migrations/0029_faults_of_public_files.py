"""A fault of the store can be one of a file of the public site."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("intake", "0028_indexes_of_lists")]

    operations = [
        migrations.AlterField(
            "storefault",
            "kind",
            models.CharField(
                choices=[
                    ("observations", "Observations"),
                    ("index", "Index"),
                    ("original", "Original"),
                    ("public", "Public"),
                ],
                max_length=12,
            ),
        ),
    ]
