from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('intake', '0023_batch_parted_at'),
        ('members', '0007_own_providers'),
        ('permissions', '0003_drawn_numbers'),
    ]

    operations = [
        migrations.CreateModel(
            name='Passing',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('batch', models.ForeignKey(on_delete=models.CASCADE, related_name='passings', to='intake.batch')),
                ('bureau', models.ForeignKey(on_delete=models.PROTECT, related_name='+', to='members.organisation')),
                ('by', models.ForeignKey(on_delete=models.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('ended_by', models.ForeignKey(null=True, on_delete=models.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('unit', models.ForeignKey(on_delete=models.PROTECT, related_name='+', to='members.organisation')),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('batch', 'unit'), name='passing_once_at_a_time')],
            },
        ),
    ]
