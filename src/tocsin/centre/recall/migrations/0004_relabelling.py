"""Another handling set for a delivery or parts of one; the recall by which those are told whom it leaves out."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('intake', '0023_batch_parted_at'),
        ('members', '0007_own_providers'),
        ('recall', '0003_sealed_parts'),
    ]

    operations = [
        migrations.AlterField(
            model_name='recall',
            name='reason',
            field=models.CharField(choices=[('source-withdrawal', 'Source'), ('wrong-data', 'Wrong'), ('wrong-recipients', 'Recipients'), ('legal', 'Legal'), ('court-order', 'Court'), ('relabelled', 'Relabelled'), ('wrong-country', 'Resliced')], max_length=20),
        ),
        migrations.CreateModel(
            name='Relabelling',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('done', 'Done'), ('refused', 'Refused'), ('withdrawn', 'Withdrawn')], max_length=9)),
                ('keys', models.JSONField(default=list)),
                ('changes', models.JSONField(default=dict)),
                ('wider', models.JSONField(default=list)),
                ('seen', models.CharField(max_length=32)),
                ('note', models.TextField(blank=True, default='')),
                ('asked_by', models.CharField(max_length=120)),
                ('asked_at', models.DateTimeField()),
                ('decided_by', models.CharField(blank=True, default='', max_length=120)),
                ('decided_at', models.DateTimeField(null=True)),
                ('reason', models.TextField(blank=True, default='')),
                ('delivery', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='relabellings', to='intake.delivery')),
                ('organisation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='members.organisation')),
                ('recall', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='relabellings', to='recall.recall')),
            ],
            options={
                'indexes': [models.Index(fields=['state', 'asked_at'], name='recall_rela_state_d7beb2_idx')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'waiting')), fields=('delivery',), name='relabelling_waits_once')],
            },
        ),
    ]
