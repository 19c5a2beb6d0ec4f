
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('members', '0012_limits'),
        ('subscribers', '0001_subscribers'),
    ]

    operations = [
        migrations.CreateModel(
            name='Returning',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address', models.TextField(blank=True, default='')),
                ('count', models.PositiveIntegerField(default=0)),
                ('sent_on', models.DateField(null=True)),
                ('status', models.CharField(blank=True, default='', max_length=12)),
                ('at', models.DateTimeField()),
                ('rests_at', models.DateTimeField(null=True)),
                ('organisation', models.OneToOneField(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='members.organisation')),
                ('subscriber', models.OneToOneField(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='returning', to='subscribers.subscriber')),
            ],
            options={
                'indexes': [models.Index(fields=['rests_at'], name='returning_rests')],
                'constraints': [models.CheckConstraint(condition=models.Q(('subscriber__isnull', True), ('organisation__isnull', True), _connector='XOR'), name='returning_of_one')],
            },
        ),
    ]
