
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('members', '0006_machines_and_emergencies'),
    ]

    operations = [
        migrations.AddField(
            model_name='opensession',
            name='proved_by',
            field=models.CharField(default='', max_length=80),
        ),
        migrations.CreateModel(
            name='Provider',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('openid', 'Openid'), ('saml', 'Saml')], max_length=8)),
                ('key', models.CharField(max_length=32, unique=True)),
                ('is_on', models.BooleanField(default=False)),
                ('is_only', models.BooleanField(default=False)),
                ('issuer', models.CharField(max_length=400)),
                ('client', models.CharField(blank=True, default='', max_length=200)),
                ('sealed', models.CharField(blank=True, default='', max_length=1000)),
                ('published', models.JSONField(default=dict)),
                ('read_at', models.DateTimeField()),
                ('claim', models.CharField(max_length=120)),
                ('counts_as_factor', models.BooleanField(default=False)),
                ('factor_words', models.JSONField(default=list)),
                ('created_at', models.DateTimeField()),
                ('break_glass', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('organisation', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='provider', to='members.organisation')),
            ],
        ),
        migrations.CreateModel(
            name='SeenAssertion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(max_length=64, unique=True)),
                ('ticket', models.CharField(max_length=64, unique=True)),
                ('body', models.JSONField(default=dict)),
                ('expires_at', models.DateTimeField(db_index=True)),
                ('provider', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='assertions', to='members.provider')),
            ],
        ),
        migrations.CreateModel(
            name='Identity',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.CharField(max_length=255)),
                ('linked_at', models.DateTimeField()),
                ('used_at', models.DateTimeField()),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='identities', to=settings.AUTH_USER_MODEL)),
                ('provider', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='identities', to='members.provider')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('provider', 'subject'), name='identity_of_one_person'), models.UniqueConstraint(fields=('provider', 'person'), name='identity_one_for_person')],
            },
        ),
    ]
