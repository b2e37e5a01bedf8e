from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("policy", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="disclosure", name="scope", field=models.TextField(blank=True, default="")
        ),
    ]
