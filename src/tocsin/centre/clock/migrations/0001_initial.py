from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Clock',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('latest_at', models.DateTimeField()),
                ('reading', models.CharField(choices=[('agrees', 'Agrees'), ('ahead', 'Ahead'), ('behind', 'Behind')], default='agrees', max_length=6)),
                ('noticed_at', models.DateTimeField(null=True)),
                ('turns', models.PositiveIntegerField(default=0)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('pk', 1)), name='clock_one_row')],
            },
        ),
    ]
