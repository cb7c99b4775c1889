/** What the demo's people have written, all made up. */
import type { Emblem } from './emblems.js';

export const SERVICES: readonly { name: string; emblem: Emblem; description: string }[] = [
  {
    name: 'Health check',
    emblem: 'cross',
    description:
      'A full check once a year: blood pressure, blood count, an electrocardiogram, and time to talk it over.',
  },
  {
    name: 'Heart clinic',
    emblem: 'heart',
    description:
      'Ultrasound of the heart, exercise tests and round-the-clock recordings, with a cardiologist on the day.',
  },
  {
    name: 'Eye clinic',
    emblem: 'eye',
    description: 'Sight tests, eye pressure, and cataract surgery as a day case.',
  },
  {
    name: 'Blood laboratory',
    emblem: 'drop',
    description: 'Samples are taken from 7:30 in the morning without an appointment. Most results are there by noon.',
  },
  {
    name: 'Bone and joint surgery',
    emblem: 'bone',
    description: 'From the sports injury to the new hip, with physiotherapy in the same house.',
  },
  {
    name: 'Imaging',
    emblem: 'scan',
    description:
      'X-ray, ultrasound, computed tomography and magnetic resonance, with a written report within two days.',
  },
  {
    name: 'Vaccinations',
    emblem: 'syringe',
    description:
      'For children, for travellers and against influenza, with advice and an entry in your vaccination card.',
  },
  {
    name: 'Dental care',
    emblem: 'tooth',
    description: 'Check-ups, fillings and professional cleaning, also for patients who are afraid of the dentist.',
  },
];

export const SYMPTOMS = [
  ...['Headache for three days, worse in the evening', 'Short of breath on the stairs', 'Itching rash on both arms'],
  ...['Follow-up after surgery', 'Pain in the left knee after running', 'Yearly check', 'Cannot sleep through'],
  ...['Blurred sight in the right eye', 'Stomach ache after meals', 'Cough that will not go away', 'Back pain'],
  ...['New prescription', 'Dizzy when standing up', 'Fever and sore throat', 'Palpitations at rest'],
];

/** By their stars. */
export const REVIEWS: Readonly<Record<number, readonly string[]>> = {
  5: [
    'Took the time to explain every result. I felt in good hands.',
    'Kind, quick and very thorough. Would come again without a second thought.',
    'After years of guessing somebody found the cause. Thank you!',
    'Called me the same evening to ask how I was doing.',
  ],
  4: [
    'Very good advice; only the wait was longer than the visit.',
    'Friendly and clear. The video call dropped once, but we finished.',
    'Knows the subject and listens.',
  ],
  3: ['All right, if a little hurried.', 'The treatment helped, the paperwork took twice as long as the visit.'],
  2: ['I had to tell my story three times to three people.'],
};

export const CONTACTS: readonly { name: string; phone: string; message: string }[] = [
  {
    name: 'Erik Sandvik',
    phone: '+44 20 7946 0901',
    message: 'Is there a step-free way from the car park to the eye clinic? My father uses a wheelchair.',
  },
  {
    name: 'Paula Renner',
    phone: '+44 20 7946 0902',
    message: 'I left a grey scarf in the waiting room of the heart clinic on Tuesday. Has anybody found it?',
  },
  {
    name: 'Yusuf Demir',
    phone: '+44 20 7946 0903',
    message: 'Can I get the report of my scan in English and in Turkish?',
  },
  {
    name: 'Carol Whitcombe',
    phone: '+44 20 7946 0904',
    message: 'Do you vaccinate against yellow fever, and how long before the journey should I come?',
  },
];

/** Sent by the patient whose account the demo offers. */
export const OWN_CONTACT = 'Could you remind me by text message the day before an appointment?';
