"""Whose turn it is where work waits: owner, cost and turn of a job, and how far each owner has come."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0002_deaths'),
    ]

    operations = [
        migrations.CreateModel(
            name='Share',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('owner', models.BigIntegerField()),
                ('priority', models.SmallIntegerField()),
                ('turn', models.BigIntegerField(default=0)),
            ],
        ),
        migrations.RemoveIndex(
            model_name='job',
            name='job_queue',
        ),
        migrations.AddField(
            model_name='job',
            name='cost',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='job',
            name='owner',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='job',
            name='turn',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(fields=['state', '-priority', 'turn', 'run_at', 'id'], name='job_turns'),
        ),
        migrations.AddConstraint(
            model_name='share',
            constraint=models.UniqueConstraint(fields=('owner', 'priority'), name='share_once'),
        ),
    ]
